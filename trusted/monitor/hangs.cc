// SPDX-License-Identifier: Apache-2.0
// What lives and does nothing: runtimes that do not count, templates that load for ever or make no
// instance, gateways that do not listen, callees that have work and make no progress.

#include <algorithm>

#include "base/format.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {

using std::chrono::milliseconds;

void Monitor::look_for_hangs(Instant now) {
  for (size_t e = 0; e < enclaves_.size(); ++e) look_at_enclave(e, now);
  for (size_t p = 0; p < partitions_.size(); ++p) {
    look_at_trees(p, now);
    look_at_streams(p, now);
  }
}

void Monitor::look_at_enclave(size_t e, Instant now) {
  Enclave& enclave = enclaves_[e];
  const size_t p = description().enclaves[e].partition;
  const PartitionDescription& limits = description().partitions[p];
  if (!partitions_[p].active) return;
  if (enclave.life.state() == State::kStarting) {
    if (ready(e) && now - enclave.fork_at >= milliseconds(limits.hang_ms))
      return fail_enclave(e, "its template makes no instance");
    if (partitions_[p].active->late(e, enclave.life.started(), milliseconds(limits.load_ms), now))
      return fail_enclave(e, formatted("it did not load within {} ms", limits.load_ms));
  }
  // A callee's streams tell whether it works; whoever only calls is asked.
  if (enclave.life.state() != State::kRunning || !is_gateway(e)) return;
  if (!enclave.pinged_at) {
    enclave.pinged_at = now;
    return send(e, control::make(control::Type::kPing, setup_->system.measured(e).enclave));
  }
  if (now - *enclave.pinged_at >= milliseconds(limits.hang_ms))
    fail_partition(p, formatted("enclave {} does not listen", name(e)));
}

void Monitor::look_at_trees(size_t p, Instant now) {
  Partition& partition = partitions_[p];
  const PartitionDescription& limits = description().partitions[p];
  const milliseconds patience(limits.hang_ms);
  if (partition.active && !partition.active->alive(now, patience))
    fail_partition(p, "its runtime shows no sign of life");
  if (!partition.standby) return;
  if (!partition.standby->alive(now, patience)) {
    drop_standby(p, "its runtime shows no sign of life");
  } else if (std::ranges::any_of(partition.standby->templates, [&](const auto& entry) {
               return partition.standby->late(entry.first, partition.standby->made_at,
                                              milliseconds(limits.load_ms), now);
             })) {
    drop_standby(p, formatted("it did not load within {} ms", limits.load_ms));
  }
}

void Monitor::look_at_streams(size_t p, Instant now) {
  const milliseconds patience(description().partitions[p].hang_ms);
  for (const size_t stream : streams_.stalled(now, patience)) {
    if (description().enclaves[streams_.callee(stream)].partition != p) continue;
    // One failure, however many of its streams stand still.
    return fail_partition(
        p, formatted("enclave {} has work and makes no progress", name(streams_.callee(stream))));
  }
}

}  // namespace casemate::monitor
