// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/faults.h"

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/format.h"
#include "tests/fault/processes.h"

namespace casemate::tests {
namespace {

// Has it go on at address 0: the kernel's signal for that ends even the first process of a
// namespace, which a SIGSEGV of ours does not.
bool derail(pid_t pid) {
  if (!hurt(pid, 0) || ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return false;
  int status = 0;
  user_regs_struct registers{};
  const bool held = ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) == 0 &&
                    ::waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) &&
                    ::ptrace(PTRACE_GETREGS, pid, nullptr, &registers) == 0;
  registers.rip = 0;
  registers.orig_rax = ~0ULL;  // or a call that it was in would be made once more from there
  const bool bent = held && ::ptrace(PTRACE_SETREGS, pid, nullptr, &registers) == 0;
  ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  return bent;
}

pid_t standby_of(SmallSystem& system) {
  const auto status = system.status();
  for (const pid_t pid : descendants(system.monitor())) {
    bool active = false;
    for (uint32_t p = 0; p < status.partition_count; ++p) active |= status.partitions[p].pid == pid;
    std::ifstream file(formatted("/proc/{}/cmdline", pid));
    std::string name;
    std::getline(file, name, '\0');
    if (name == "mos" && !active && alive(pid)) return pid;
  }
  return -1;
}

}  // namespace

std::string name_of(Fault fault) {
  const char* names[] = {"kill", "crash", "stop", "descriptors", "memory", "hang"};
  return names[static_cast<int>(fault)];
}

std::string name_of(Who who) {
  const char* names[] = {"mos",         "template",         "instance",     "spare",
                         "standby_mos", "standby_template", "standby_spare"};
  return names[static_cast<int>(who)];
}

bool possible(Fault fault) { return fault != Fault::kCrash || ::geteuid() == 0; }

bool inflict(Fault fault, pid_t pid) {
  switch (fault) {
    case Fault::kKill:
      return hurt(pid, SIGKILL);
    case Fault::kCrash:
      return derail(pid);
    case Fault::kStop:
      return hurt(pid, SIGSTOP);
    case Fault::kDescriptors: {
      const rlimit none{3, 3};
      return hurt(pid, 0) && ::prlimit(pid, RLIMIT_NOFILE, &none, nullptr) == 0;
    }
    case Fault::kMemory:
    case Fault::kHang:
      return false;
  }
  return false;
}

bool by_itself(Fault fault) { return fault >= Fault::kMemory; }

pid_t find(SmallSystem& system, const std::string& partition, Who who) {
  const bool standby = who >= Who::kStandbyMos;
  const pid_t mos =
      standby ? standby_of(system) : static_cast<pid_t>(system.partition(partition).pid);
  if (who == Who::kMos || who == Who::kStandbyMos || mos <= 0) return mos;
  const pid_t loaded = template_of(mos);
  if (who == Who::kTemplate || who == Who::kStandbyTemplate) return loaded;
  return instance_of(loaded, who == Who::kSpare ? 1 : 0);
}

std::map<ino_t, off_t> grants_of(pid_t monitor) {
  namespace fs = std::filesystem;
  auto everybody = descendants(monitor);
  everybody.push_back(monitor);
  std::map<ino_t, off_t> grants;
  for (const pid_t pid : everybody) {
    std::error_code error;
    for (fs::directory_iterator it(formatted("/proc/{}/fd", pid), error), end; !error && it != end;
         it.increment(error)) {
      std::error_code gone;
      const std::string name = fs::read_symlink(it->path(), gone);
      struct stat facts{};
      if ((name.starts_with("/memfd:re") || name.starts_with("/memfd:bulk")) &&
          ::stat(it->path().c_str(), &facts) == 0)
        grants[facts.st_ino] = facts.st_size;
    }
  }
  return grants;
}

}  // namespace casemate::tests
