// SPDX-License-Identifier: Apache-2.0
// How partitions and enclaves start, fail and come back.

#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {
namespace {

uint64_t microseconds(Duration d) { return static_cast<uint64_t>(d.count()) / 1000; }

// After a start, before the next standby is prepared: whoever waited for the start is served first.
constexpr Duration kPrepareDelay = std::chrono::milliseconds(20);

constexpr std::string_view kAsked = "the operator ended it";

}  // namespace

// Makes the standby the active tree; where there is none it is made now, and its templates fork
// when they have compiled.
void Monitor::start_partition(size_t p) {
  Partition& partition = partitions_[p];
  const Instant now = clock_.now();
  partition.restart_at.reset();
  partition.prepare_at.reset();
  partition.life.starting(now);
  ++partition.epoch;
  if (!partition.standby) {
    auto made = make_tree(p);
    if (!made) return fail_partition(p, made.error().text);
    partition.standby.emplace(std::move(*made));
  }
  if (partition.standby->complete()) partition.standby_failures = 0;
  partition.active = std::exchange(partition.standby, std::nullopt);
  partition.life.running(now);
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition != p || !startable(e)) continue;
    enclaves_[e].restart_at.reset();
    enclaves_[e].instance_lost = enclaves_[e].unborn = false;
    enclaves_[e].life.starting(now);
    const auto found = partition.active->templates.find(e);
    if (found != partition.active->templates.end() && !found->second.ready)
      launcher_.set_background(found->second.process, false);
    if (ready(e)) fork_instance(e);
    if (!partition.active) return;  // it failed meanwhile
  }
}

void Monitor::end_active(size_t p) {
  // Taken out first: nobody may be told anything through it any more, or fail it again.
  auto tree = std::exchange(partitions_[p].active, std::nullopt);
  // Proceed before anything else: survivors must find the memory gone, not half-written.
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition != p) continue;
    revoke_streams(e, Code::kPartitionFailed, "its partition failed");
    enclaves_[e].restart_at.reset();
    enclaves_[e].end = {};
    enclaves_[e].last_end = {};
    if (startable(e)) enclaves_[e].life.ended_on_request();
  }
  if (tree) bury(p, *std::move(tree));
}

void Monitor::fail_partition(size_t p, std::string_view why, Cause cause) {
  Partition& partition = partitions_[p];
  const Instant now = clock_.now();
  if (!partition.recovering) partition.failed_at = now;
  partition.recovering = true;
  partition.end = {.why = std::string(cause == Cause::kRequest ? kAsked : why)};
  if (partition.active) partition.end.slot = partition.active->slot;
  if (partition.active && cause == Cause::kDeath)
    partition.end.pid = partition.active->mos.child.pid;
  end_active(p);
  const std::string name(description().partitions[p].name.view());
  if (cause == Cause::kRequest) {
    log("partition {}: ended on request, starting again", name);
    partition.life.ended_on_request();
    partition.restart_at = now;
    return;
  }
  ++partition.failures;
  partition.restart_at = partition.life.failed(now);
  if (partition.restart_at) {
    log("partition {}: {}; starting again in {} ms", name, why,
        microseconds(*partition.restart_at - now) / 1000);
    return;
  }
  log("partition {}: {}; it failed too often in a row, giving up until the next start of the "
      "system",
      name, why);
  partition.prepare_at.reset();
  if (partition.standby) bury(p, *std::exchange(partition.standby, std::nullopt));
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition != p || !startable(e)) continue;
    enclaves_[e].life.give_up();
    enclaves_[e].code = Code::kUnavailable;
    enclaves_[e].reason = Text<256>::from("its partition failed too often in a row");
    revoke_streams(e, Code::kUnavailable, enclaves_[e].reason.view());
  }
}

void Monitor::start_enclave(size_t e) {
  enclaves_[e].restart_at.reset();
  enclaves_[e].instance_lost = enclaves_[e].unborn = false;
  enclaves_[e].life.starting(clock_.now());
  const size_t p = description().enclaves[e].partition;
  if (const Status added = add_template(*partitions_[p].active, e); !added)
    fail_enclave(e, added.error().text);
}

void Monitor::fail_enclave(size_t e, std::string_view why, Cause cause) {
  Enclave& enclave = enclaves_[e];
  const size_t p = description().enclaves[e].partition;
  if (enclave.life.state() == State::kRefused) return;  // its end is no news
  enclave.unborn = false;
  revoke_streams(e, Code::kPartitionFailed, "it failed");
  auto& tree = partitions_[p].active;
  if (!tree) return;  // found dead by that
  bury_template(p, e);
  const Instant now = clock_.now();
  if (enclave.end.why.empty()) enclave.end.at = now;
  enclave.end = {.why = std::string(cause == Cause::kRequest ? kAsked : why),
                 .slot = tree->slot,
                 .at = enclave.end.at};
  if (cause == Cause::kRequest) {
    log("enclave {}: ended on request, starting again", name(e));
    enclave.life.ended_on_request();
    enclave.restart_at = now;
    return;
  }
  // A template takes its instance along, whose end was heard of first and has been counted.
  if (!std::exchange(enclave.instance_lost, false)) {
    enclave.restart_at = enclave.life.failed(now);
  } else {
    enclave.restart_at = std::max(enclave.restart_at.value_or(now), now);
  }
  if (enclave.restart_at) {
    log("enclave {}: {}; starting again in {} ms", name(e), why,
        microseconds(*enclave.restart_at - now) / 1000);
    return;
  }
  log("enclave {}: {}; it failed too often in a row, giving up until the next start of the system",
      name(e), why);
  enclave.code = Code::kUnavailable;
  enclave.reason = Text<256>::from("it failed too often in a row");
  revoke_streams(e, enclave.code, enclave.reason.view());
  note_settled(p);
}

void Monitor::fork_instance(size_t e) {
  enclaves_[e].restart_at.reset();
  enclaves_[e].fork_at = clock_.now();
  std::vector<Fd> gifts;
  if (takes_listener(e)) gifts.push_back(launcher_.listener());
  send(e, control::make(control::Type::kFork, setup_->system.measured(e).enclave),
       std::move(gifts));
}

// Called when an enclave runs or never will: once that holds for all of them, the partition has
// recovered, and a standby may be prepared for the next time.
void Monitor::note_settled(size_t p) {
  Partition& partition = partitions_[p];
  if (!partition.active) return;
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition == p && startable(e) &&
        enclaves_[e].life.state() != State::kRunning)
      return;
  }
  const Instant now = clock_.now();
  if (description().partitions[p].standby != 0 && !partition.standby)
    partition.prepare_at = now + kPrepareDelay;
  if (!std::exchange(partition.recovering, false)) return;
  partition.recovery_us = microseconds(now - partition.failed_at);
}

void Monitor::start_due(Instant now) {
  for (size_t p = 0; p < partitions_.size(); ++p) {
    // Without a standby the device and the limits of the old tree are needed again.
    if (partitions_[p].restart_at && *partitions_[p].restart_at <= now &&
        (partitions_[p].standby || !dying(p)))
      start_partition(p);
  }
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    Enclave& enclave = enclaves_[e];
    if (!enclave.restart_at || *enclave.restart_at > now ||
        !partitions_[description().enclaves[e].partition].active)
      continue;
    if (std::exchange(enclave.unborn, false)) {
      // Its template lives, so it was no victim of that one's end.
      enclave.restart_at = enclave.life.failed(now);
      enclave.instance_lost = enclave.restart_at.has_value();
      if (!enclave.restart_at) fail_enclave(e, "its instances die before they run");
      continue;
    }
    // A living template only has to fork; a dead one has to be started and to compile again.
    if (ready(e)) {
      enclave.life.starting(now);
      fork_instance(e);
    } else if (!dying(description().enclaves[e].partition)) {
      start_enclave(e);
    }
  }
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (streams_.reconnect_at(i) && *streams_.reconnect_at(i) <= now) connect_stream(i);
  }
  for (size_t p = 0; p < partitions_.size(); ++p) {
    if (partitions_[p].prepare_at && *partitions_[p].prepare_at <= now && may_prepare(now))
      prepare_standby(p);
  }
}

}  // namespace casemate::monitor
