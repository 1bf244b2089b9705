// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/tree.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace casemate::monitor {
namespace {

constexpr Duration kDeath = std::chrono::seconds(1);

void kill_one(const jail::Child& child) {
  ::syscall(SYS_pidfd_send_signal, child.pidfd.number(), SIGKILL, nullptr, 0);
}

}  // namespace

bool Tree::complete() const {
  return std::ranges::all_of(templates, [](const auto& entry) { return entry.second.ready; });
}

bool Tree::late(size_t enclave, Instant since, Duration patience, Instant now) const {
  const auto found = templates.find(enclave);
  if (found != templates.end()) {
    if (found->second.ready || found->second.locked) return false;
    since = std::max(since, found->second.unlocked_at.value_or(since));
  }
  return now - since >= patience;
}

bool Tree::alive(Instant now, Duration patience) {
  const uint64_t beat = load<uint64_t>(mos.heartbeat.bytes());
  if (beat != last_beat) {
    last_beat = beat;
    beat_at = now;
  }
  return now - beat_at < patience;
}

void Tree::kill() const { kill_one(mos.child); }

void Tree::kill(size_t enclave) const {
  if (const auto found = templates.find(enclave); found != templates.end())
    kill_one(found->second.process);
}

Remains remains_of(Tree tree, size_t partition, Instant now) {
  Remains remains{partition, {}, now + kDeath};
  remains.processes.push_back(std::move(tree.mos.child));
  for (auto& [enclave, entry] : tree.templates)
    remains.processes.push_back(std::move(entry.process));
  return remains;
}

Remains remains_of(jail::Child process, size_t partition, Instant now) {
  Remains remains{partition, {}, now + kDeath};
  remains.processes.push_back(std::move(process));
  return remains;
}

}  // namespace casemate::monitor
