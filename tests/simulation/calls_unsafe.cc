// SPDX-License-Identifier: Apache-2.0
// SAFETY: each has the kernel's own signature; what is not told otherwise goes to the kernel.
//
// Calls of the kernel by the code that is simulated: those that wait let others run, those that
// make a descriptor say whose it is, and those that would tell or change something of the real
// machine have an answer of the simulated one.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include "base/log.h"
#include "tests/simulation/machine.h"

using namespace casemate::simulation;

namespace {

bool simulated() { return Machine::exists() && Machine::here().running() != nullptr; }

int made(int fd) {
  if (simulated() && Machine::here().running()->outside == 0)
    Machine::here().own(fd, Machine::here().owner());
  return fd;
}

casemate::Instant deadline_in(int timeout_ms) {
  return timeout_ms < 0 ? casemate::Instant::max()
                        : Machine::here().now() + milliseconds(timeout_ms);
}

}  // namespace

extern "C" {

int __real_poll(pollfd*, nfds_t, int);
int __real_epoll_wait(int, epoll_event*, int, int);
int __real_close(int);
int __real_socketpair(int, int, int, int*);
int __real_fcntl(int, int, ...);
int __real_eventfd(unsigned, int);
int __real_epoll_create1(int);
int __real_memfd_create(const char*, unsigned);
int __real_open(const char*, int, ...);
int __real_accept4(int, sockaddr*, socklen_t*, int);
int __real_socket(int, int, int);
ssize_t __real_recvmsg(int, msghdr*, int);
ssize_t __real_sendmsg(int, const msghdr*, int);
ssize_t __real_send(int, const void*, size_t, int);
ssize_t __real_write(int, const void*, size_t);
int __real_ftruncate(int, off_t);

int __wrap_poll(pollfd* fds, nfds_t count, int timeout_ms) {
  if (!simulated() || Machine::here().running()->outside != 0)
    return __real_poll(fds, count, timeout_ms);
  Machine& machine = Machine::here();
  machine.point();
  const auto deadline = deadline_in(timeout_ms);
  while (true) {
    const int ready = __real_poll(fds, count, 0);
    if (ready != 0 || machine.now() >= deadline) return ready;
    machine.running()->fds = fds;
    machine.running()->fd_count = count;
    machine.wait(Wait::kDescriptors, deadline);
  }
}

int __wrap_epoll_wait(int epoll, epoll_event* events, int size, int timeout_ms) {
  Machine& machine = Machine::here();
  machine.point();
  const auto deadline = deadline_in(timeout_ms);
  const pollfd self{epoll, POLLIN, 0};
  while (true) {
    const int ready = __real_epoll_wait(epoll, events, size, 0);
    if (ready != 0 || machine.now() >= deadline) return ready;
    machine.running()->fds = &self;
    machine.running()->fd_count = 1;
    machine.wait(Wait::kDescriptors, deadline);
  }
}

int __wrap_nanosleep(const timespec* time, timespec*) {
  Machine& machine = Machine::here();
  machine.wait(Wait::kTime, machine.now() + seconds(time->tv_sec) + nanoseconds(time->tv_nsec));
  return 0;
}

int __wrap_close(int fd) {
  if (Machine::exists()) Machine::here().disown(fd);
  return __real_close(fd);
}

int __wrap_socketpair(int domain, int type, int protocol, int* fds) {
  const int done = __real_socketpair(domain, type, protocol, fds);
  if (done == 0) made(fds[0]), made(fds[1]);
  return done;
}

int __wrap_fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  const long argument = va_arg(list, long);
  va_end(list);
  const int result = __real_fcntl(fd, command, argument);
  return command == F_DUPFD_CLOEXEC ? made(result) : result;
}

int __wrap_eventfd(unsigned value, int flags) { return made(__real_eventfd(value, flags)); }
int __wrap_epoll_create1(int flags) { return made(__real_epoll_create1(flags)); }
int __wrap_memfd_create(const char* name, unsigned flags) {
  return made(__real_memfd_create(name, flags));
}
int __wrap_open(const char* path, int flags, ...) { return made(__real_open(path, flags, 0)); }
int __wrap_accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  return made(__real_accept4(fd, address, size, flags));
}
int __wrap_socket(int domain, int type, int protocol) {
  return made(__real_socket(domain, type, protocol));
}

ssize_t __wrap_recvmsg(int fd, msghdr* message, int flags) {
  if (simulated()) Machine::here().point();
  const ssize_t got = __real_recvmsg(fd, message, flags);
  if (got < 0) return got;
  Machine::here().changed();
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; CMSG_LEN(at) < part->cmsg_len; at += sizeof(int)) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(part) + at, sizeof received);
      made(received);
    }
  }
  return got;
}

ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  if (simulated()) Machine::here().point();
  if (Machine::exists()) Machine::here().changed();
  return __real_sendmsg(fd, message, flags);
}

ssize_t __wrap_send(int fd, const void* data, size_t size, int flags) {
  if (Machine::exists()) Machine::here().changed();
  return __real_send(fd, data, size, flags);
}

ssize_t __wrap_write(int fd, const void* data, size_t size) {
  if (simulated()) Machine::here().point();
  if (Machine::exists()) Machine::here().changed();
  return __real_write(fd, data, size);
}

int __wrap_ftruncate(int fd, off_t size) {
  if (simulated()) Machine::here().point();
  if (Machine::exists()) Machine::here().trace("descriptor {} has {} bytes from now on", fd, size);
  return __real_ftruncate(fd, size);
}

pid_t __wrap_waitpid(pid_t, int*, int) {
  errno = ECHILD;
  return -1;
}

int __wrap_sched_getcpu() {
  return simulated() ? static_cast<int>(Machine::here().owner() % 4) : 0;
}

int __wrap_sched_getaffinity(pid_t, size_t size, cpu_set_t* set) {
  std::memset(set, 0, size);
  for (size_t core = 0; core < 4; ++core) CPU_SET(core, set);
  return 0;
}

int __wrap_sched_setaffinity(pid_t, size_t, const cpu_set_t*) { return 0; }

}  // extern "C"

namespace casemate {

Clock& system_clock() { return Machine::here(); }
Random& system_random() { return Machine::here().chance(); }

// base/log.h: what the product logs stands in the trace.
void log_as(std::string_view) {}
std::string printable(std::string_view text, size_t length_max) {
  return std::string(text.substr(0, length_max));
}
void log_line(std::string_view text) {
  const Outside outside;
  Machine::here().trace("says: {}", text);
  if (Machine::here().listener) Machine::here().listener(text);
}

}  // namespace casemate
