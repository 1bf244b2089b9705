// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tree: the processes of one start of a partition: its mOS and the templates of its enclaves. A
// partition has an active tree, whose enclaves run, and most of the time a standby: a second one
// whose templates have compiled and which has no instance, no stream and no user data yet. When the
// active tree fails, the standby takes its place without loading anything.
//
//   Owns     the mOS's socket and heartbeat, and descriptors of all its processes.
//   Threads  one.
//   Trust    its processes may be hostile; a standby has met no client, but it has read its models.
//   Fails    nothing can.

#include <map>

#include "base/clock.h"
#include "trusted/monitor/launcher.h"

namespace casemate::monitor {

struct Tree {
  // What a template asks that waits for its model's key, and what the root says of who asks.
  struct Locked {
    control::Message question;
    std::vector<uint8_t> claims = {};
    std::vector<uint8_t> quote = {};  // empty: the root is still to be asked, and not before
    Instant ask_at = {};
    Instant quoted_at = {};
  };
  struct Template {
    jail::Child process;
    uint64_t ticket = 0;  // no other has the same
    bool ready = false;   // it has loaded and compiled
    std::optional<Locked> locked = {};
    std::optional<Instant> unlocked_at = {};
  };

  Launcher::Started mos;
  control::Outbox to_mos;
  std::map<size_t, Template> templates;  // by index of the enclave
  uint32_t slot = 0;                     // which of the partition's two sets of cgroups and users
  Instant made_at{};
  uint64_t last_beat = 0;
  Instant beat_at{};

  [[nodiscard]] bool ready(size_t enclave) const {
    const auto found = templates.find(enclave);
    return found != templates.end() && found->second.ready;
  }
  [[nodiscard]] bool complete() const;
  // True when a template that loads since then has not for `patience`. Who waits for a key is not
  // late, and has all its time once it has that.
  [[nodiscard]] bool late(size_t enclave, Instant since, Duration patience, Instant now) const;
  // False when the mOS has not counted for `patience`.
  bool alive(Instant now, Duration patience);
  // Kills the mOS and with it, since it is the first of their PID namespace, everything below it.
  void kill() const;
  void kill(size_t enclave) const;
};

// A killed tree until the kernel has taken it apart.
struct Remains {
  size_t partition = 0;
  std::vector<jail::Child> processes;
  Instant forget_at{};  // what does not die by then is stuck in the kernel
};
Remains remains_of(Tree tree, size_t partition, Instant now);
Remains remains_of(jail::Child process, size_t partition, Instant now);

}  // namespace casemate::monitor
