// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can be done to a process from outside, and which processes of a partition there are to have
// it done to.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    none is needed: strangers are refused as by hurt().
//   Fails    with false.

#include <sys/types.h>

#include <map>
#include <string>

#include "tests/system/small_system.h"

namespace casemate::tests {

enum class Fault {
  kKill,         // SIGKILL, as the kernel does it to who takes too much memory
  kCrash,        // goes on at address 0
  kStop,         // SIGSTOP
  kDescriptors,  // may open no further descriptor
  // What a process can only do to itself, which its enclave does when it is called.
  kMemory,  // takes memory without end
  kHang,    // works without end, and nothing comes of it
};
std::string name_of(Fault fault);
bool inflict(Fault fault, pid_t pid);
bool by_itself(Fault fault);
// Only root can make a process crash that does not want to.
bool possible(Fault fault);

enum class Who { kMos, kTemplate, kInstance, kSpare, kStandbyMos, kStandbyTemplate, kStandbySpare };
std::string name_of(Who who);
// -1 where there is none now. The standby's: of the only one that the system has.
pid_t find(SmallSystem& system, const std::string& partition, Who who);

// Shared memory of streams that the monitor and everybody below it hold: size by inode. Those whose
// memory was revoked have none left.
std::map<ino_t, off_t> grants_of(pid_t monitor);

}  // namespace casemate::tests
