// SPDX-License-Identifier: Apache-2.0
// What `casemate doctor` shows: each wall is tried, not looked up.
#include <linux/landlock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/format.h"
#include "trusted/jail/cgroup.h"
#include "trusted/jail/spawn.h"

namespace casemate::jail {
namespace {

// True if a child can do it.
template <class Attempt>
bool works(Attempt attempt) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(attempt() ? 0 : 1);
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

std::string line(bool stands, std::string_view wall, std::string_view without) {
  return stands ? formatted("+ {}", wall) : formatted("- {}: {}", wall, without);
}

std::string namespaces() {
  constexpr int kAll = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                       CLONE_NEWUTS | CLONE_NEWCGROUP;
  return line(works([] { return ::unshare(kAll) == 0; }),
              "namespaces (user, mount, PID, network, IPC, UTS, cgroup)",
              "nothing can be served here; allow user namespaces or run as root");
}

std::string landlock() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi <= 0)
    return line(false, "Landlock", "the root folder of a jail is then its only wall around files");
  if (abi < 6)
    return line(false, formatted("Landlock scoping (ABI {} has none)", abi),
                "signals and abstract sockets are kept apart by namespaces only");
  return formatted("+ Landlock with scoping (ABI {})", abi);
}

}  // namespace

std::vector<std::string> describe_walls(const allow::Spawn& power) {
  std::vector<std::string> lines;
  lines.push_back(namespaces());
  lines.push_back(line(works([] {
                         return lockdown::forbid_new_privileges() &&
                                lockdown::apply(lockdown::Filter::kModel);
                       }),
                       "system-call filters (seccomp)", "nothing can be served here"));
  lines.push_back(landlock());
  lines.push_back(
      line(can_change_user(), "a user id of its own for every partition and enclave",
           "all run as this user, kept apart by namespaces; run as root for distinct ids"));
  const Cgroups groups = Cgroups::open(power, formatted("casemate-doctor-{}", ::getpid()));
  lines.push_back(line(groups.limits_memory(), groups.summary(),
                       "memory is limited per process (RLIMIT_DATA), processor time not at all"));
  const long secret = ::syscall(SYS_memfd_secret, 0);
  if (secret >= 0) ::close(static_cast<int>(secret));
  lines.push_back(line(secret >= 0,
                       "keys in memory that the kernel itself cannot read (memfd_secret)",
                       "keys lie in ordinary memory of their process"));
  return lines;
}

}  // namespace casemate::jail
