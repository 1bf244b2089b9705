// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a running system consists of, as the machine's /proc and cgroups tell it: whom to hurt, and
// what must not grow or stay.

#include <sys/types.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/patience.h"

namespace casemate::tests {

// Children of `pid`, theirs, and so on.
std::vector<pid_t> descendants(pid_t pid);
// False for what has ended, waited for or not.
bool alive(pid_t pid);

// The template of a partition that was started as the `index`th of those that live, by its mOS, and
// the instance of a template: a template's PID namespace lies directly in the mOS's, an instance's
// in the template's. The instance is the oldest there, behind it waits the next one; in a standby
// the next one is the oldest. -1 when there is none.
pid_t template_of(pid_t mos, size_t index = 0);
pid_t instance_of(pid_t parent, size_t index = 0);

// Processor time that a process has used so far, all its threads together.
std::chrono::milliseconds processor_time(pid_t pid);

// Of a process.
size_t resident_kib(pid_t pid);

// What must stay as it is while partitions come and go.
struct Holdings {
  size_t descriptors = 0;
  size_t mounts = 0;
  size_t processes = 0;   // zombies too
  size_t groups = 0;      // folders of its cgroups
  size_t memory_kib = 0;  // resident, of the monitor alone
};
Holdings holdings_of(pid_t monitor);
// The same once nothing is on its way: the socket of an operator who was just answered, for
// example, is closed a moment later.
Holdings calm_holdings_of(pid_t monitor);

// Folders in the cgroup tree that belong to the monitor with this id.
std::vector<std::string> groups_of(pid_t monitor);
// True when its partitions have that file, as "memory.limit_in_bytes", in their groups.
bool limited_by(pid_t monitor, const std::vector<std::string>& files);

// Waits until `done()`; false when it did not come true in time. The bound is generous: it is there
// to end, not to measure.
template <class Done>
bool eventually(Done done, std::chrono::milliseconds within = std::chrono::seconds(10)) {
  Patience patience(within);
  while (!done()) {
    if (patience.over()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace casemate::tests
