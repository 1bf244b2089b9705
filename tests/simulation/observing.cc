// SPDX-License-Identifier: Apache-2.0
// What the world sees of the monitor's own table. This file is compiled without access control, and
// changes nothing.
#include <unistd.h>

#include <algorithm>

#include "tests/simulation/system_world.h"

namespace casemate::simulation {
namespace {

using monitor::State;

constexpr uint64_t kAnswersInCalm = 2;

}  // namespace

// At its only place to wait, with nothing to do.
bool SystemWorld::monitor_waits() {
  const Process* process = machine_.find(watcher_);
  return monitor_ != nullptr && process != nullptr && process->wait == Wait::kDescriptors;
}

void SystemWorld::check_table() {
  for (size_t p = 0; p < kPartitions; ++p) check_partition(p);
  for (uint32_t i = 0; i < kStreams; ++i) {
    const auto& stream = monitor_->streams_.streams_[i];
    expect(stream.epoch >= stream_epochs_[i], "the epoch of a stream falls");
    stream_epochs_[i] = stream.epoch;
    if (!stream.pair) continue;
    expect(!stream.pair->revoked(), "a stream in the table has been revoked");
    for (const size_t end : {monitor_->streams_.caller(i), monitor_->streams_.callee(i)})
      expect(monitor_->enclaves_[end].life.state() == State::kRunning,
             "a stream is connected to an enclave that does not run");
  }
  if (machine_.steps() % 16 == 0) check_orphans();
}

void SystemWorld::check_partition(size_t p) {
  const auto& partition = monitor_->partitions_[p];
  Seen& seen = seen_[p];
  expect(partition.epoch >= seen.epoch, "the epoch of a partition falls");
  if (partition.failures != seen.failures) {
    expect(seen.hurt, "a partition fails that nobody has hurt");
    seen.failures = partition.failures;
    expect(!partition.active || partition.epoch > seen.epoch,
           "a partition that has failed is active under its old epoch");
  }
  if (partition.epoch != seen.epoch) {
    expect(!partition.active || machine_.now() >= seen.not_before,
           "a partition starts before it may");
    seen.started = machine_.now();
    seen.epoch = partition.epoch;
  }
  const State state = partition.life.state();
  expect(partition.active.has_value() == (state == State::kRunning),
         "a partition's state is not that of its processes");
  expect(state != State::kBackingOff || partition.restart_at, "a partition is forgotten");
  if (partition.restart_at) seen.not_before = *partition.restart_at;
  for (size_t e = 0; e < kEnclaves; ++e) {
    if (description_->enclaves[e].partition != p) continue;
    const State enclave = monitor_->enclaves_[e].life.state();
    expect(partition.active || (enclave != State::kRunning && enclave != State::kStarting),
           "an enclave runs in a partition that does not");
  }
}

// Nobody lives whom the table does not know; who is active lives, as far as the monitor can know.
void SystemWorld::check_orphans() {
  const Process* process = machine_.find(watcher_);
  std::vector<pollfd> fds(process->fds, process->fds + process->fd_count);
  if (::poll(fds.data(), fds.size(), 0) != 0) return;  // it has yet to hear of something
  for (size_t p = 0; p < kPartitions; ++p) {
    const auto& partition = monitor_->partitions_[p];
    if (partition.active)
      expect(machine_.alive(static_cast<ProcessId>(partition.active->mos.child.pid)),
             "a partition is active whose runtime has ended");
    for (const Actor& actor : actors_) {
      const Process* living = machine_.find(actor.process);
      if (actor.kind != Kind::kRuntime || actor.partition != p || living == nullptr ||
          living->ended || living->dies_at != Instant::max())
        continue;
      const auto is = [&](const auto& tree) {
        return tree && static_cast<ProcessId>(tree->mos.child.pid) == actor.process;
      };
      expect(is(partition.active) || is(partition.standby),
             "a runtime lives that the table does not know");
    }
  }
}

void SystemWorld::check_streams() {
  if (monitor_ == nullptr || !liars_.empty()) return;
  for (uint32_t i = 0; i < kStreams; ++i) {
    const auto& pair = monitor_->streams_.streams_[i].pair;
    if (!pair) continue;
    uint64_t requested = 0;
    uint64_t completed = 0;
    if (::pread(pair->requests_.number(), &requested, 8, 0) != 8 ||
        ::pread(pair->replies_.number(), &completed, 8, 0) != 8 || requested == ring::kPoison ||
        completed == ring::kPoison)
      continue;
    expect(completed <= requested && requested <= completed + 4, "an index overtakes");
  }
}

// Whether requests may be answered by a model: neither it nor the gateway, nor their stream, was
// given up.
bool SystemWorld::reachable(size_t model) {
  const auto given_up = [&](size_t e) {
    return monitor_->enclaves_[e].life.state() == State::kGivenUp ||
           monitor_->partitions_[description_->enclaves[e].partition].life.state() ==
               State::kGivenUp;
  };
  return !given_up(0) && !given_up(model) &&
         monitor_->streams_.streams_[model - 1].life.state() != State::kGivenUp;
}

bool SystemWorld::recovered() {
  if (!monitor_waits()) return false;
  for (const auto& partition : monitor_->partitions_) {
    if (partition.life.state() != State::kRunning && partition.life.state() != State::kGivenUp)
      return false;
  }
  for (size_t e = 0; e < kEnclaves; ++e) {
    const State state = monitor_->enclaves_[e].life.state();
    if (state != State::kRunning && state != State::kGivenUp) return false;
    if (e == 0 || !reachable(e)) continue;
    if (!monitor_->streams_.connected(e - 1) || answered_in_calm_[e] < kAnswersInCalm) return false;
  }
  return true;
}

}  // namespace casemate::simulation
