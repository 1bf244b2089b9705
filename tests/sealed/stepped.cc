// SPDX-License-Identifier: Apache-2.0
#include "tests/sealed/stepped.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "base/fd.h"
#include "base/format.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

bool changes_files(const user_regs_struct& call) {
  static const std::set<long> changing = {
      SYS_write,     SYS_pwrite64,  SYS_pwritev,  SYS_writev,    SYS_fsync,  SYS_fdatasync,
      SYS_ftruncate, SYS_rename,    SYS_renameat, SYS_link,      SYS_linkat, SYS_unlink,
      SYS_unlinkat,  SYS_fallocate, SYS_chmod,    SYS_renameat2, SYS_fchmod};
  const auto makes = [](uint64_t flags) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  };
  const auto number = static_cast<long>(call.orig_rax);
  return changing.contains(number) || (number == SYS_openat && makes(call.rdx)) ||
         (number == SYS_open && makes(call.rsi));
}

// The path that stands in the memory of the process.
std::string path_in(pid_t process, uint64_t address) {
  const Fd memory(::open(formatted("/proc/{}/mem", process).c_str(), O_RDONLY | O_CLOEXEC));
  std::string path(4096, '\0');
  const ssize_t got =
      ::pread(memory.number(), path.data(), path.size(), static_cast<off_t>(address));
  path.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return path.substr(0, path.find('\0'));
}

// Such a call as "sync keys" or "rename model.sealed": what is done, and to what.
std::string told(pid_t process, const user_regs_struct& call) {
  const auto path = [&](const char* does, uint64_t address) {
    return formatted("{} {}", does, file_named(path_in(process, address)));
  };
  std::error_code unseen;
  const auto file = [&](const char* does) {
    const auto link = fs::read_symlink(formatted("/proc/{}/fd/{}", process, call.rdi), unseen);
    return formatted("{} {}", does, file_named(link));
  };
  switch (static_cast<long>(call.orig_rax)) {
    case SYS_fsync:
    case SYS_fdatasync:
      return file("sync");
    case SYS_rename:
      return path("rename", call.rsi);
    case SYS_renameat:
    case SYS_renameat2:
      return path("rename", call.r10);
    case SYS_unlink:
      return path("unlink", call.rdi);
    case SYS_unlinkat:
      return path("unlink", call.rsi);
    case SYS_openat:
      return path("make", call.rsi);
    default:
      return file("change");
  }
}

// How a process ends that may not be traced.
constexpr int kUntraced = 77;

// What happens at a call.
enum class Then { kGoOn, kDie, kFail };
using Decide = std::function<Then(const std::string& call)>;

// The call is not made; at its end it has that error.
void fail_call(pid_t process, user_regs_struct registers, int error) {
  registers.orig_rax = ~0ULL;
  ::ptrace(PTRACE_SETREGS, process, nullptr, &registers);
  ::ptrace(PTRACE_SYSCALL, process, nullptr, nullptr);
  int status = 0;
  ::waitpid(process, &status, 0);
  ::ptrace(PTRACE_GETREGS, process, nullptr, &registers);
  registers.rax = static_cast<unsigned long long>(-static_cast<long long>(error));
  ::ptrace(PTRACE_SETREGS, process, nullptr, &registers);
}

// From call to call until it has ended, or is killed for what `decide` says.
End step(pid_t process, int error, const Decide& decide) {
  bool entering = false;
  int signal = 0;
  while (true) {
    int status = 0;
    if (::ptrace(PTRACE_SYSCALL, process, nullptr, static_cast<long>(signal)) != 0)
      return End::kCrashed;
    if (::waitpid(process, &status, 0) != process) return End::kCrashed;
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 0 ? End::kDone : End::kFailed;
    if (!WIFSTOPPED(status)) return End::kCrashed;
    const bool at_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
    signal = at_call ? 0 : WSTOPSIG(status);
    if (!at_call) continue;
    entering = !entering;
    user_regs_struct call{};
    if (!entering || ::ptrace(PTRACE_GETREGS, process, nullptr, &call) != 0 || !changes_files(call))
      continue;
    const Then then = decide(told(process, call));
    if (then == Then::kFail) {
      fail_call(process, call, error);
      entering = false;
    }
    if (then != Then::kDie) continue;
    ::kill(process, SIGKILL);
    ::waitpid(process, &status, 0);
    return End::kKilled;
  }
}

End run_stepped(const std::function<bool()>& work, int error, const Decide& decide) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(kUntraced);
    ::raise(SIGSTOP);
    ::_exit(work() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
    return End::kCrashed;
  constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, kOptions);
  return step(child, error, decide);
}

}  // namespace

bool can_step() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : kUntraced);
  int status = 0;
  return child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
         WEXITSTATUS(status) != kUntraced;
}

End run_killed(uint64_t count, const std::function<bool()>& work, std::vector<std::string>* calls) {
  return run_stepped(work, 0, [&](const std::string& call) {
    if (calls != nullptr) calls->push_back(call);
    return --count == 0 ? Then::kDie : Then::kGoOn;
  });
}

Stepped run_failing(uint64_t count, int error, const std::function<bool()>& work) {
  Stepped stepped;
  stepped.end = run_stepped(work, error, [&](const std::string& call) {
    if (--count != 0) return Then::kGoOn;
    stepped.call = call;
    return Then::kFail;
  });
  return stepped;
}

std::string file_named(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".casemate-") ? "growing" : name;
}

std::string quick_folder() { return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; }

}  // namespace casemate::tests
