// SPDX-License-Identifier: Apache-2.0
#pragma once
// Launcher: turns entries of the measured system into jailed processes.
//
//   Owns     the cgroups of all partitions and enclaves; they are made once and used again after a
//            restart.
//   Threads  one.
//   Trust    what it starts is measured and may turn hostile at once.
//   Fails    with the step that the kernel refused; nothing is left running.

#include <map>
#include <optional>
#include <string>

#include "base/mapping.h"
#include "trusted/jail/cgroup.h"
#include "trusted/jail/spawn.h"
#include "trusted/monitor/measured_system.h"
#include "wire/control/control.h"

namespace casemate::monitor {

class Launcher final {
 public:
  // Where enclaves that are debugged write to: not among our own lines, which they could forge.
  static constexpr int kDebugOutput = 6;

  Launcher(const allow::Spawn& power, const MeasuredSystem& system, jail::Cgroups cgroups,
           Fd listener);
  ~Launcher();

  struct Started {
    jail::Child child;
    control::Socket socket{Fd()};  // to the mOS
    Mapping heartbeat;             // counted up by the mOS
    jail::Namespaces namespaces;
  };
  // `slot` 0 or 1: two trees of one partition share its limits, and nothing else.
  Result<Started> start_partition(size_t index, uint32_t slot);

  struct Template {
    jail::Child child;
    Fd socket;  // for the mOS: its end of the template's control socket
  };
  Result<Template> start_template(size_t enclave, uint32_t slot, const jail::Namespaces& partition);
  // What a gateway's or a program's instance gets at its birth.
  [[nodiscard]] Fd listener() const;
  // What the kernel holds an enclave with a share to, in both trees together.
  [[nodiscard]] jail::GroupLimits share_of(size_t enclave) const;
  // Lets a process go last where others want the processor, or be as all others again. Without
  // the privilege to undo it, it is not done.
  void set_background(const jail::Child& child, bool background) const;
  // Whether the kernel has killed a process of that enclave, or the mOS where none is named, for
  // want of memory since this was asked last.
  bool out_of_memory(size_t partition, std::optional<size_t> enclave, uint32_t slot);

 private:
  [[nodiscard]] std::string group_of(size_t partition, std::optional<size_t> enclave,
                                     uint32_t slot) const;
  Result<std::vector<int>> entrances(const std::string& path, const jail::GroupLimits& limits,
                                     bool leaf);
  // The group for an enclave's processes in one of the trees.
  Result<std::vector<int>> enclave_entrances(size_t enclave, uint32_t slot);

  allow::Spawn power_;
  const MeasuredSystem& system_;
  jail::Cgroups cgroups_;
  // Sorted so that leaves come before their parents, the order in which they can be removed.
  std::map<std::string, jail::Group, std::greater<>> groups_;
  Fd listener_;
  bool own_users_;
  bool may_prioritize_;
};

}  // namespace casemate::monitor
