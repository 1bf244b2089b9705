// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cgroups: hard limits on memory, processes and processor time, on cgroup v2 and v1.
//
//   <own group>/casemate-<pid>/<partition>/{mos,<enclave>}     processes only in the leaves, as v2
//   demands; an enclave with a share has one for its standby and one for the other, within its own
//
//   Owns     the folders of its groups; they are removed when it goes, once their processes are
//            gone.
//   Threads  one.
//   Trust    limits are enforced by the kernel; a group's members cannot reach these files.
//   Fails    open() never: where cgroups cannot be written it has no controllers and says so.
//            make_group() returns kPlatform when a limit that should stand is refused.

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "trusted/allow/allow.h"

namespace casemate::jail {

struct GroupLimits {
  uint64_t memory_bytes = 0;  // 0: none
  uint32_t processes = 0;     // 0: none
  uint32_t cpu_percent = 0;   // of one core; 0: none
  uint64_t cpu_mask = 0;      // 0: as the parent
};

// One group in every hierarchy. Members join by descriptor.
class Group final {
 public:
  Group() = default;
  Group(Group&&) noexcept = default;
  Group& operator=(Group&&) noexcept = default;
  ~Group();

  // cgroup.procs of every hierarchy: writing "0" moves the writer in.
  [[nodiscard]] std::vector<int> entrances() const;
  // Whether the kernel has killed a member for want of memory since this was asked last.
  bool out_of_memory();

 private:
  friend class Cgroups;
  std::vector<std::string> folders_;
  std::vector<Fd> entrances_;
  uint64_t oom_kills_ = 0;
};

class Cgroups final {
 public:
  static Cgroups open(const allow::Spawn&, const std::string& name);

  // A group at `path` below ours, "partition" or "partition/enclave" or one in that. Only a `leaf`
  // can be entered.
  Result<Group> make_group(const std::string& path, const GroupLimits& limits, bool leaf) const;
  // "cgroup v1: memory pids cpu cpuset", or why there are none.
  [[nodiscard]] const std::string& summary() const { return summary_; }
  // "memory", "pids", "cpu" or "cpuset": whether the kernel limits that in our groups.
  [[nodiscard]] bool controls(std::string_view controller) const;
  [[nodiscard]] bool limits_memory() const { return controls("memory"); }

 private:
  struct Hierarchy {
    std::string folder;       // our group in it
    std::string controllers;  // space-separated
    bool unified = false;
  };
  void open_unified(const std::string& own, const std::string& name);
  void open_legacy(const std::string& controller, const std::string& own, const std::string& name);
  std::vector<Hierarchy> hierarchies_;
  std::vector<Group> top_;  // removed last
  std::string summary_;
};

}  // namespace casemate::jail
