// SPDX-License-Identifier: Apache-2.0
#pragma once
// Spawn: starts one program behind every wall that this kernel has.
//
// The child gets user, mount, PID, network, IPC, UTS and cgroup namespaces of its own; a read-only
// root that holds only its files; no capabilities and no way to new ones; Landlock rules; resource
// limits; cgroup limits; and the system-call filter for starting programs. Only then does it
// execute. An enclave's PID namespace lies inside its partition's, so killing the partition's first
// process kills the enclave with it.
//
//   Owns     nothing; the child's descriptors go to the caller.
//   Threads  the caller must have one thread: the child runs our code between clone and execve.
//   Trust    the program is measured but may turn hostile at its first instruction.
//   Fails    kPlatform with the step that failed in the child. Nothing is left behind.

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/lockdown/lockdown.h"
#include "base/result.h"
#include "trusted/allow/allow.h"

namespace casemate::jail {

// The namespaces of a running partition, in which those of its enclaves lie.
struct Namespaces {
  Fd pid;
  Fd user;
};

struct Spec {
  std::string program;                    // absolute, inside the root
  std::string name;                       // argv[0] and host name
  std::string root;                       // the folder that becomes its root
  const Namespaces* partition = nullptr;  // an enclave's; null for a partition
  uid_t user = 0;  // a partition: outside id of its id 0; an enclave: its id in the partition
  uint32_t user_count = 1;               // a partition: how many ids it has for its enclaves
  std::vector<std::pair<int, int>> fds;  // (ours, the child's); the child's are 3, 4, ... in order
  std::vector<int> entrances;            // of its cgroup
  lockdown::ResourceLimits limits;
  lockdown::Filter filter = lockdown::Filter::kStart;
  uint64_t scratch_bytes = 0;  // of a /tmp of its own, which the root must have; 0: none
  int error_output = -1;       // stderr; -1: nothing can be written there
  std::vector<std::string> environment;
};

struct Child {
  pid_t pid = -1;
  Fd pidfd;
};

Result<Child> spawn(const allow::Spawn&, const Spec& spec);

Result<Namespaces> namespaces_of(pid_t pid);

// True when this process may give its children user ids that are not its own.
bool can_change_user();

// What the walls are on this machine, for `casemate doctor`: one line per wall, "+" or "-" in
// front.
std::vector<std::string> describe_walls(const allow::Spawn&);

}  // namespace casemate::jail
