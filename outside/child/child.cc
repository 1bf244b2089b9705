// SPDX-License-Identifier: Apache-2.0
#include "outside/child/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <span>

#include "base/check.h"
#include "base/fd.h"
#include "base/format.h"

namespace casemate::child {
namespace {

constexpr int kSpareFds = 50;  // beyond those that a program gets
constexpr size_t kPlaces = 3 + Command::kDescriptors;

struct Ends {
  Fd read;
  Fd write;

  static Result<Ends> make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("making a pipe");
    return Ends{Fd(ends[0]), Fd(ends[1])};
  }
};

// All that the child needs, made before the fork.
struct Prepared {
  const char* program;
  char* const* arguments;
  char* const* environment;
  pid_t parent;
  std::array<int, kPlaces> given;  // in the order of their places; the first is made by the child
  size_t count;
  uint64_t file_bytes_max;
};

// Between fork and execve: the child of a process that may have threads calls nothing that takes
// locks.
[[noreturn]] void become(const Prepared& prepared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Who died before that was asked for sends nothing.
  if (::getppid() != prepared.parent) ::_exit(1);
  if (prepared.file_bytes_max > 0) {
    const rlimit most{.rlim_cur = prepared.file_bytes_max, .rlim_max = prepared.file_bytes_max};
    if (::setrlimit(RLIMIT_FSIZE, &most) != 0) ::_exit(1);
  }
  // Away from their places first, so that no source is overwritten. Fewer than are spare.
  std::array<int, kPlaces> from{};
  from[0] = ::fcntl(::open("/dev/null", O_RDONLY), F_DUPFD, kSpareFds);
  for (size_t i = 1; i < prepared.count; ++i)
    from[i] = ::fcntl(prepared.given[i], F_DUPFD, kSpareFds);
  for (size_t i = 0; i < prepared.count; ++i) {
    if (::dup2(from[i], static_cast<int>(i)) < 0) ::_exit(1);
  }
  ::close_range(static_cast<unsigned>(prepared.count), ~0u, 0);
  ::execve(prepared.program, prepared.arguments, prepared.environment);
  ::_exit(127);
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

int milliseconds_until(Instant end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - system_clock().now()).count();
  return left <= 0 ? 0 : static_cast<int>(std::min<int64_t>(left + 1, 1 << 30));
}

// Everything that it says until it ends, or until there is a reason to end it.
Result<Said> hear(std::array<pollfd, 3> sources, const std::string& program, uint64_t bytes_max,
                  Instant end) {
  std::array<std::string, 2> said;
  std::array<char, 1 << 16> buffer;
  // When it has ended and closed both, or given them to nobody, there is nothing more to come.
  while (sources[0].fd >= 0 || sources[1].fd >= 0 || sources[2].fd >= 0) {
    const int ready = ::poll(sources.data(), sources.size(), milliseconds_until(end));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return errno_error("waiting for " + program);
    if (ready == 0) return Error{Code::kTimedOut, formatted("{} did not end in time", program)};
    for (size_t i = 0; i < said.size(); ++i) {
      if (sources[i].revents == 0) continue;
      const ssize_t size = ::read(sources[i].fd, buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) sources[i].fd = -1;
      if (size > 0) said[i].append(buffer.data(), static_cast<size_t>(size));
      if (said[i].size() > bytes_max) {
        return Error{Code::kTooLarge, formatted("{} said more than {} bytes", program, bytes_max)};
      }
    }
    if (sources[2].revents != 0) sources[2].fd = -1;
  }
  return Said{.out = std::move(said[0]), .err = std::move(said[1])};
}

}  // namespace

Result<Running> Running::start(const Command& command) {
  CHECK(command.descriptors.size() <= Command::kDescriptors, "a program gets a few descriptors");
  Ends out = TRY(Ends::make());
  Ends err = TRY(Ends::make());
  const std::vector<char*> arguments = pointers_to(command.arguments);
  const std::vector<char*> environment = pointers_to(command.environment);
  Prepared prepared{.program = command.program.c_str(),
                    .arguments = arguments.data(),
                    .environment = environment.data(),
                    .parent = ::getpid(),
                    .given = {-1, out.write.number(), err.write.number()},
                    .count = 3 + command.descriptors.size(),
                    .file_bytes_max = command.file_bytes_max};
  std::ranges::copy(command.descriptors, prepared.given.begin() + 3);
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("starting " + command.program);
  if (pid == 0) become(prepared);
  Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle.valid()) {
    const Error error = errno_error("watching " + command.program);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  return Running(command.program, std::move(handle), std::move(out.read), std::move(err.read));
}

Running::~Running() {
  if (!handle_.valid() || reaped_) return;
  kill();
  static_cast<void>(reap());
}

void Running::kill() const { ::syscall(SYS_pidfd_send_signal, handle_.number(), SIGKILL, 0, 0); }

// Its status as waitpid() tells it.
Result<int> Running::reap() {
  siginfo_t ended{};
  while (::waitid(P_PIDFD, static_cast<id_t>(handle_.number()), &ended, WEXITED) < 0) {
    if (errno != EINTR) return errno_error("waiting for " + program_);
  }
  reaped_ = true;
  return ended.si_code == CLD_EXITED ? ended.si_status << 8 : ended.si_status;
}

Result<Said> Running::listen(uint64_t bytes_max, Instant end) {
  auto said = hear({pollfd{out_.number(), POLLIN, 0}, pollfd{err_.number(), POLLIN, 0},
                    pollfd{handle_.number(), POLLIN, 0}},
                   program_, bytes_max, end);
  if (!said) kill();
  const int status = TRY(reap());
  if (said) said->status = status;
  return said;
}

Result<Said> run(const Command& command, uint64_t bytes_max, Instant end) {
  return TRY(Running::start(command)).listen(bytes_max, end);
}

Result<std::string> program_in_path(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::string_view folders = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!folders.empty()) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    folders.remove_prefix(std::min(folder.size() + 1, folders.size()));
    if (!folder.starts_with('/')) continue;
    std::string program = formatted("{}/{}", folder, name);
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return Error{Code::kNotFound, formatted("there is no program {} in the folders of PATH", name)};
}

std::vector<std::string> own_environment() {
  std::vector<std::string> all;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
    all.emplace_back(*variable);
  return all;
}

}  // namespace casemate::child
