// SPDX-License-Identifier: Apache-2.0
// SAFETY: clone without CLONE_VM is fork: the child has its own copy of everything and, because the
// monitor has one thread, nothing is locked. It runs the steps below and ends in execve or _exit;
// it never returns.
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/format.h"
#include "trusted/jail/spawn.h"

namespace casemate::jail {
namespace {

constexpr unsigned long kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

constexpr int kSpawnMs = 5000;

// What a child says once: that all steps are done which the monitor waits for, or the one that
// failed.
struct Report {
  char step[64] = {};  // empty: none failed
  int error = 0;
};

[[noreturn]] void give_up(int report, const char* step) {
  Report failure;
  failure.error = errno;
  std::strncpy(failure.step, step, sizeof failure.step - 1);
  [[maybe_unused]] const auto written = ::write(report, &failure, sizeof failure);
  ::_exit(127);
}

// After the report only its death tells the monitor, and this tells people.
[[noreturn]] void give_up_late(int errors, const char* step) {
  ::dprintf(errors, "casemate-monitor: starting a jailed program: %s: %s\n", step,
            std::strerror(errno));
  ::_exit(127);
}

// A detached, read-only copy of the mount of the root folder. Made by the monitor, which can walk
// to it; the child, under another user id, cannot.
Result<Fd> detach_root(const std::string& root) {
  Fd tree(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, root.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (!tree.valid() || ::syscall(SYS_mount_setattr, tree.number(), "", AT_EMPTY_PATH, &attributes,
                                 sizeof attributes) != 0) {
    return errno_error("detaching a root");
  }
  return tree;
}

// In memory, which counts as its writer's; it ends with the last process of its mount namespace.
void make_scratch(uint64_t bytes, int report) {
  const std::string options = formatted("size={},nr_inodes=65536,mode=0700", bytes);
  if (::mount("scratch", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    give_up(report, "mounting a scratch folder");
}

void enter_root(int tree, int report) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    give_up(report, "making mounts private");
  if (::syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0)
    give_up(report, "mounting the root");
  if (::fchdir(tree) != 0) give_up(report, "entering the root");
  if (::syscall(SYS_pivot_root, ".", ".") != 0) give_up(report, "pivoting into the root");
  if (::umount2(".", MNT_DETACH) != 0) give_up(report, "leaving the old root");
  if (::chdir("/") != 0) give_up(report, "entering the new root");
}

// Id 0 of a partition's namespace is the partition's own id outside.
void become_user(int report) {
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    give_up(report, "becoming the partition's user");
}

bool write_file(const std::string& path, const std::string& text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.valid() &&
         ::write(fd.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// An enclave maps the one id that it has in its partition to 0, by itself: its parent namespace is
// not the monitor's, so the monitor may not. The files belong to their process only while it is
// dumpable; nobody else with this id lives.
void map_own_user(uid_t user, int report) {
  const std::string map = formatted("0 {} 1", user);
  ::prctl(PR_SET_DUMPABLE, 1);
  const bool mapped = write_file("/proc/self/setgroups", "deny") &&
                      write_file("/proc/self/uid_map", map) &&
                      write_file("/proc/self/gid_map", map);
  ::prctl(PR_SET_DUMPABLE, 0);
  if (!mapped) give_up(report, "mapping the enclave's user");
}

// Moves descriptors to 3, 4, ... and closes all others but `errors`, which closes itself on execve.
void place_fds(const Spec& spec, int errors) {
  const int top = 3 + static_cast<int>(spec.fds.size());
  // Two passes through a high range, so that no source is overwritten before it is moved.
  std::vector<int> moved;
  for (const auto& [from, to] : spec.fds) {
    moved.push_back(::fcntl(from, F_DUPFD, 100));
    if (moved.back() < 0) give_up_late(errors, "moving descriptors");
  }
  const int error_output = spec.error_output >= 0 ? ::fcntl(spec.error_output, F_DUPFD, 100) : -1;
  for (size_t i = 0; i < moved.size(); ++i) {
    if (::dup2(moved[i], spec.fds[i].second) < 0) give_up_late(errors, "placing descriptors");
  }
  // The customary three are taken by something that can be neither read nor written, so that
  // nothing that is opened later is mistaken for them: the read end of a pipe that nobody writes.
  int nothing[2];
  if (::pipe2(nothing, O_CLOEXEC) != 0) give_up_late(errors, "making a pipe");
  ::close(nothing[1]);
  for (int i = 0; i < 3; ++i) ::dup2(nothing[0], i);
  if (error_output >= 0) ::dup2(error_output, STDERR_FILENO);
  ::close_range(static_cast<unsigned>(top), static_cast<unsigned>(errors) - 1, 0);
  ::close_range(static_cast<unsigned>(errors) + 1, ~0u, 0);
}

void enter_limits(const std::vector<int>& entrances, int errors) {
  for (const int entrance : entrances) {
    if (::write(entrance, "0", 1) != 1) give_up_late(errors, "entering the cgroup");
  }
  if (::unshare(CLONE_NEWCGROUP) != 0) give_up_late(errors, "making a cgroup namespace");
}

void drop_everything(const Spec& spec, int errors) {
  if (!lockdown::forbid_new_privileges()) give_up_late(errors, "forbidding new privileges");
  if (!lockdown::limit_resources(spec.limits)) give_up_late(errors, "setting resource limits");
  const char* writable = spec.scratch_bytes != 0 ? "/tmp" : nullptr;
  if (!lockdown::restrict_files("/", writable)) give_up_late(errors, "applying landlock rules");
  if (!lockdown::drop_capabilities()) give_up_late(errors, "dropping capabilities");
  if (!lockdown::apply(spec.filter)) give_up_late(errors, "installing the first filter");
}

// From here on it lives on its partition's share of the processor, which its siblings may have used
// up, so nobody waits for it any more. It still runs our code alone: it executes its program behind
// every wall, or it ends.
[[noreturn]] void run_limited(const Spec& spec) {
  const int errors = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 200);
  if (errors < 0) ::_exit(127);
  ::signal(SIGPIPE, SIG_DFL);
  enter_limits(spec.entrances, errors);
  place_fds(spec, errors);
  ::setsid();
  drop_everything(spec, errors);
  std::vector<char*> environment;
  for (const std::string& entry : spec.environment)
    environment.push_back(const_cast<char*>(entry.c_str()));
  environment.push_back(nullptr);
  char* const arguments[] = {const_cast<char*>(spec.name.c_str()), nullptr};
  ::execve(spec.program.c_str(), arguments, environment.data());
  give_up_late(errors, "executing the program");
}

[[noreturn]] void run_child(const Spec& spec, int tree, int go, int report) {
  char mapped = 0;
  if (::read(go, &mapped, 1) != 1) ::_exit(127);  // the monitor gave up or died
  if (::sethostname(spec.name.c_str(), spec.name.size()) != 0)
    give_up(report, "setting the host name");
  if (spec.partition != nullptr) map_own_user(spec.user, report);
  enter_root(tree, report);
  if (spec.scratch_bytes != 0) make_scratch(spec.scratch_bytes, report);
  if (spec.partition == nullptr) become_user(report);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user clears it, so only now
  const Report done;
  if (::write(report, &done, sizeof done) != sizeof done) ::_exit(127);
  run_limited(spec);
}

// Maps ids 0.. of the child's user namespace to `first`.. of the namespace that this process is in.
Status map_user(pid_t child, uid_t first, uint32_t count) {
  const std::string folder = formatted("/proc/{}/", child);
  const std::string map = formatted("0 {} {}", first, count);
  // Without CAP_SETGID the kernel wants setgroups switched off first; it does no harm with it.
  write_file(folder + "setgroups", "deny");
  if (!write_file(folder + "uid_map", map) || !write_file(folder + "gid_map", map)) {
    return errno_error("mapping the child's user");
  }
  return {};
}

struct Pipe {
  Fd read, write;
  static Result<Pipe> make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("making a pipe");
    return Pipe{Fd(ends[0]), Fd(ends[1])};
  }
};

// A descriptor passed over a socket pair.
void send_fd(int socket, int fd) {
  alignas(cmsghdr) char buffer[CMSG_SPACE(sizeof fd)] = {};
  char byte = 0;
  iovec vector{&byte, 1};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = buffer;
  header.msg_controllen = sizeof buffer;
  cmsghdr* c = CMSG_FIRSTHDR(&header);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
  ::sendmsg(socket, &header, MSG_NOSIGNAL);
}

Fd receive_fd(int socket) {
  alignas(cmsghdr) char buffer[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec vector{&byte, 1};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = buffer;
  header.msg_controllen = sizeof buffer;
  const cmsghdr* c =
      ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC) == 1 ? CMSG_FIRSTHDR(&header) : nullptr;
  int fd = -1;
  if (c != nullptr && c->cmsg_type == SCM_RIGHTS) std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
  return Fd(fd);
}

// The id, in our PID namespace, of the process behind a pidfd.
pid_t pid_of(const Fd& pidfd) {
  const Fd info(
      ::open(formatted("/proc/self/fdinfo/{}", pidfd.number()).c_str(), O_RDONLY | O_CLOEXEC));
  char text[512] = {};
  if (!info.valid() || ::read(info.number(), text, sizeof text - 1) <= 0) return -1;
  const char* line = std::strstr(text, "Pid:");
  return line != nullptr ? static_cast<pid_t>(std::strtol(line + 4, nullptr, 10)) : -1;
}

pid_t clone_here(unsigned long flags, int* pidfd) {
  return static_cast<pid_t>(::syscall(SYS_clone, flags | SIGCHLD, nullptr, pidfd, nullptr, 0));
}

struct Cloned {
  pid_t pid = -1;  // 0 in the child
  Fd pidfd;
};

// Clones into namespaces inside a partition's. Only a process that is in there can make them, and
// only a child can be born into a PID namespace, so two middlemen step in, one behind the other.
// The second takes the enclave's user id, clones for us, and hands out the pidfd. CLONE_PARENT
// makes all of them our children. We stay out: as an ordinary user we could not come back.
[[noreturn]] void end_middleman(int socket, int pidfd) {
  if (pidfd >= 0) send_fd(socket, pidfd);
  ::_exit(0);
}

// True in the child; the middlemen do not return.
bool clone_as_middleman(const Namespaces& partition, uid_t user, int socket) {
  if (::setns(partition.pid.number(), CLONE_NEWPID) != 0 || clone_here(CLONE_PARENT, nullptr) != 0)
    end_middleman(socket, -1);
  if (::setns(partition.user.number(), CLONE_NEWUSER) != 0 || ::setresgid(user, user, user) != 0 ||
      ::setresuid(user, user, user) != 0)
    end_middleman(socket, -1);
  int pidfd = -1;
  const pid_t child = clone_here(kNamespaces | CLONE_PIDFD | CLONE_PARENT, &pidfd);
  if (child == 0) return true;
  end_middleman(socket, child > 0 ? pidfd : -1);
}

Result<Cloned> clone_within(const Namespaces& partition, uid_t user) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return errno_error("making a socket");
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  // Nobody waits for a middleman that was killed between cloning and telling.
  const timeval patience{kSpawnMs / 1000, 0};
  ::setsockopt(ours.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const pid_t middleman = clone_here(0, nullptr);
  if (middleman == 0 && clone_as_middleman(partition, user, theirs.number()))
    return Cloned{0, Fd()};
  if (middleman < 0) return errno_error("cloning into a partition");
  theirs.reset();
  Cloned cloned;
  cloned.pidfd = receive_fd(ours.number());
  ::waitpid(middleman, nullptr, __WALL);
  if (!cloned.pidfd.valid()) {
    return Error{Code::kPartitionFailed,
                 "namespaces inside the partition could not be made: it died, or the kernel "
                 "refuses nesting"};
  }
  cloned.pid = pid_of(cloned.pidfd);
  if (cloned.pid <= 0) {  // 0 would say that this is the child
    ::syscall(SYS_pidfd_send_signal, cloned.pidfd.number(), SIGKILL, nullptr, 0);
    return Error{Code::kPlatform, "/proc does not show the processes of this namespace"};
  }
  return cloned;
}

Result<Cloned> clone_child(const Spec& spec) {
  if (spec.partition != nullptr) return clone_within(*spec.partition, spec.user);
  int pidfd = -1;
  const pid_t pid = clone_here(kNamespaces | CLONE_PIDFD, &pidfd);
  if (pid < 0) return errno_error("making namespaces");
  Cloned cloned{pid, pid == 0 ? Fd() : Fd(pidfd)};
  if (pid > 0) {
    if (const Status mapped = map_user(pid, spec.user, spec.user_count); !mapped) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, __WALL);
      return mapped.error();
    }
  }
  return cloned;
}

}  // namespace

Result<Child> spawn(const allow::Spawn&, const Spec& spec) {
  Pipe go = TRY(Pipe::make());
  Pipe report = TRY(Pipe::make());
  const Fd tree = TRY(detach_root(spec.root));
  Cloned cloned = TRY(clone_child(spec));
  if (cloned.pid == 0) {
    go.write.reset();
    run_child(spec, tree.number(), go.read.number(), report.write.number());
  }
  report.write.reset();
  [[maybe_unused]] const auto written = ::write(go.write.number(), "+", 1);
  Report told;
  if (::read(report.read.number(), &told, sizeof told) != sizeof told) {
    std::strncpy(told.step, "it died before it had said anything", sizeof told.step - 1);
    told.error = ECHILD;
  }
  if (told.step[0] == '\0') return Child{cloned.pid, std::move(cloned.pidfd)};
  ::syscall(SYS_pidfd_send_signal, cloned.pidfd.number(), SIGKILL, nullptr, 0);
  ::waitpid(cloned.pid, nullptr, __WALL);
  told.step[sizeof told.step - 1] = '\0';
  errno = told.error;
  return errno_error(formatted("starting {}: {}", spec.name, told.step));
}

Result<Namespaces> namespaces_of(pid_t pid) {
  const auto open = [&](const char* kind) {
    return Fd(::open(formatted("/proc/{}/ns/{}", pid, kind).c_str(), O_RDONLY | O_CLOEXEC));
  };
  Namespaces namespaces{open("pid"), open("user")};
  if (!namespaces.pid.valid() || !namespaces.user.valid())
    return errno_error("opening a partition's namespaces");
  return namespaces;
}

bool can_change_user() {
  // A user namespace of one id, as an ordinary user gets it, has no second id to give away.
  const Fd fd(::open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC));
  char text[128] = {};
  if (!fd.valid() || ::read(fd.number(), text, sizeof text - 1) <= 0) return false;
  unsigned long inside = 0;
  unsigned long outside = 0;
  unsigned long count = 0;
  return std::sscanf(text, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 &&
         count > 1u << 30;
}

}  // namespace casemate::jail
