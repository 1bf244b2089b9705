// SPDX-License-Identifier: Apache-2.0
// SAFETY: clone without CLONE_VM is fork: this process has one thread, and its child runs our code
// until execve or _exit. The message header points to locals that outlive the call.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/log.h"
#include "isolated/program/foreign_program.h"

namespace casemate::program {
namespace {

constexpr int kLauncher = 4;
constexpr int kStream = 3;  // in the program
constexpr int kNewsMs = 100;

// Fails when the order did not come with exactly what it needs.
Result<std::vector<uint8_t>> receive(const Fd& socket, std::array<Fd, Order::kFds>& given) {
  std::vector<uint8_t> bytes(Order::kBytesMax);
  alignas(cmsghdr) char room[CMSG_SPACE(Order::kFds * sizeof(int))] = {};
  iovec vector{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = room;
  header.msg_controllen = sizeof room;
  const ssize_t got = ::recvmsg(socket.number(), &header, MSG_CMSG_CLOEXEC);
  if (got <= 0) return Error{Code::kPartitionFailed, "the launcher is gone"};
  const cmsghdr* c = CMSG_FIRSTHDR(&header);
  if (c == nullptr || c->cmsg_type != SCM_RIGHTS ||
      c->cmsg_len != CMSG_LEN(Order::kFds * sizeof(int)) || (header.msg_flags & MSG_TRUNC) != 0)
    return Error{Code::kInvalid, "the launcher's order lacks its descriptors"};
  std::array<int, Order::kFds> numbers{};
  std::memcpy(numbers.data(), CMSG_DATA(c), sizeof numbers);
  for (size_t i = 0; i < numbers.size(); ++i) given[i] = Fd(numbers[i]);
  bytes.resize(static_cast<size_t>(got));
  return bytes;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

void tell(const Fd& socket, const Report& report) {
  [[maybe_unused]] const auto sent = ::send(socket.number(), &report, sizeof report, MSG_NOSIGNAL);
}

// The program takes over, or the launcher hears from here why it does not.
[[noreturn]] void become(Order order, const std::array<Fd, Order::kFds>& given, const Fd& stream) {
  std::array<int, 4> from{};
  for (size_t i = 0; i < 3; ++i) from[i] = ::fcntl(given[i].number(), F_DUPFD, 100);
  from[kStream] = ::fcntl(stream.number(), F_DUPFD, 100);
  const int report = ::fcntl(given[3].number(), F_DUPFD_CLOEXEC, 200);
  for (int i = 0; i <= kStream; ++i) ::dup2(from[static_cast<size_t>(i)], i);
  ::close_range(kStream + 1, static_cast<unsigned>(report) - 1, 0);
  ::close_range(static_cast<unsigned>(report) + 1, ~0u, 0);
  const auto words = pointers_to(order.words);
  const auto environment = pointers_to(order.environment);
  // Without a scratch folder it stays at the root.
  [[maybe_unused]] const int moved = ::chdir("/tmp");
  ::execve(order.path.c_str(), words.data(), environment.data());
  tell(Fd(report), {static_cast<uint32_t>(Ending::kNotStarted), static_cast<uint32_t>(errno), 0});
  ::_exit(127);
}

Report report_of(int status, bool device_lost) {
  const bool killed = WIFSIGNALED(status);
  return {static_cast<uint32_t>(killed ? Ending::kKilled : Ending::kExited),
          static_cast<uint32_t>(killed ? WTERMSIG(status) : WEXITSTATUS(status)), device_lost};
}

enum class Heard { kNothing, kStop, kDeviceLost };

Heard listen(const control::Socket& control) {
  const auto received = control.poll();
  if (!received) return Heard::kStop;
  if (!*received) return Heard::kNothing;
  if ((*received)->type() == control::Type::kStop) return Heard::kStop;
  return (*received)->type() == control::Type::kDisconnect ? Heard::kDeviceLost : Heard::kNothing;
}

// True when `child` has ended. Whatever it left behind is this process's to collect.
bool collect(pid_t child, int& status) {
  int other = 0;
  for (pid_t ended = 0; (ended = ::waitpid(-1, &other, WNOHANG)) > 0;) {
    if (ended != child) continue;
    status = other;
    return true;
  }
  return false;
}

}  // namespace

Status ForeignProgram::start(const control::Message&) { return {}; }

Status ForeignProgram::take_order() {
  const auto bytes = TRY(receive(launcher_, given_));
  order_ = TRY(decode(bytes));
  return {};
}

Result<bool> ForeignProgram::take_order_and_stream(const control::Socket& control) {
  bool device_gone = false;
  while (order_.path.empty() || !stream_.valid()) {
    if (device_gone && !order_.path.empty()) {
      tell(given_[3], {static_cast<uint32_t>(Ending::kNoDevice), 0, 1});
      return false;
    }
    pollfd sources[] = {{control.fd(), POLLIN, 0},
                        {order_.path.empty() ? launcher_.number() : -1, POLLIN, 0}};
    if (::poll(sources, 2, -1) < 0 && errno != EINTR) return errno_error("waiting for an order");
    if (sources[1].revents != 0) TRY(take_order());
    if (sources[0].revents == 0) continue;
    const auto received = TRY(control.receive(0));
    if (received.type() == control::Type::kStop) return false;
    // What is starting will be connected; for all else there is a code of its own.
    if (received.type() == control::Type::kDisconnect)
      device_gone = code_from(received.message.code) != Code::kPartitionFailed;
    if (received.type() != control::Type::kConnect || stream_.valid()) continue;
    auto ends = TRY(control::Socket::pair());
    std::vector<int> numbers;
    for (const Fd& fd : received.fds) numbers.push_back(fd.number());
    TRY(control::Socket(std::move(ends[0])).send(received.message, numbers));
    stream_ = std::move(ends[1]);
  }
  return true;
}

Status ForeignProgram::run_to_its_end(const control::Socket& control) {
  const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (child < 0) return errno_error("forking");
  if (child == 0) become(order_, given_, stream_);
  stream_.reset();
  for (int i = 0; i < 3; ++i) given_[static_cast<size_t>(i)].reset();
  const auto pid = static_cast<pid_t>(child);
  const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle.valid()) return errno_error("watching the program");
  int status = 0;
  // The device's end is the program's to find out: its stream fails.
  bool device_lost = false;
  while (true) {
    const bool ended = collect(pid, status);
    // A stream fails before its end is told of: who fails with it may be quicker than the news.
    if (ended && status != 0 && !device_lost) {
      pollfd news{control.fd(), POLLIN, 0};
      ::poll(&news, 1, kNewsMs);
    }
    const Heard heard = listen(control);
    if (heard == Heard::kStop) return {};
    device_lost |= heard == Heard::kDeviceLost;
    if (ended) break;
    pollfd sources[] = {{handle.number(), POLLIN, 0}, {control.fd(), POLLIN, 0}};
    ::poll(sources, 2, 1000);
  }
  tell(given_[3], report_of(status, device_lost));
  return {};
}

Status ForeignProgram::run(control::Socket control, const control::Message&) {
  launcher_ = Fd(kLauncher);
  if (!TRY(take_order_and_stream(control))) return {};
  return run_to_its_end(control);
}

}  // namespace casemate::program
