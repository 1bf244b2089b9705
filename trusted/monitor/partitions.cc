// SPDX-License-Identifier: Apache-2.0
// How partitions and enclaves start, fail and come back.
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <format>

#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {
namespace {

uint64_t microseconds(Duration d) { return static_cast<uint64_t>(d.count()) / 1000; }

// What does not die within this time is stuck in the kernel: it is left to reap(), and its
// successor starts without waiting for it.
constexpr int kDeathMs = 1000;

void kill(const jail::Child& child) {
  ::syscall(SYS_pidfd_send_signal, child.pidfd.number(), SIGKILL, nullptr, 0);
}

void reap(const jail::Child& child) {
  pollfd dead{child.pidfd.number(), POLLIN, 0};
  ::poll(&dead, 1, kDeathMs);
  ::waitpid(child.pid, nullptr, __WALL | WNOHANG);
}

}  // namespace

void Monitor::start_partition(size_t p) {
  Partition& partition = partitions_[p];
  const Instant now = clock_.now();
  partition.restart_at.reset();
  partition.life.starting(now);
  ++partition.epoch;
  auto started = launcher_.start_partition(p);
  if (!started) return fail_partition(p, started.error().text);
  partition.process.emplace(std::move(*started));
  partition.last_beat = 0;
  partition.beat_at = now;
  control::Message manifest = control::make(control::Type::kManifest,
                                            EnclaveId::of({static_cast<uint8_t>(p + 1)}, 0xFFFFFF));
  manifest.epoch = partition.epoch;
  manifest.name = description().partitions[p].name;
  if (const Status sent = partition.process->socket.send(manifest); !sent)
    return fail_partition(p, sent.error().text);
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition == p && enclaves_[e].life.state() != State::kRefused &&
        enclaves_[e].life.state() != State::kGivenUp) {
      start_enclave(e);
      if (!partition.process) return;  // it failed meanwhile
    }
  }
  partition.life.running(now);
}

void Monitor::end_process(size_t p) {
  // Taken out first: nobody may be told anything through it any more, or fail it again.
  const auto process = std::exchange(partitions_[p].process, std::nullopt);
  // Proceed before anything else: survivors must find the memory gone, not half-written.
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition == p)
      revoke_streams(e, Code::kPartitionFailed, "its partition failed");
  }
  if (process) kill(process->child);
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition != p) continue;
    if (enclaves_[e].process) monitor::reap(*enclaves_[e].process);
    enclaves_[e].process.reset();
    enclaves_[e].ready = false;
    enclaves_[e].restart_at.reset();
    if (enclaves_[e].life.state() != State::kRefused &&
        enclaves_[e].life.state() != State::kGivenUp) {
      enclaves_[e].life.ended_on_request();
    }
  }
  // The first process of a PID namespace ends last: only when all others in it, which are our
  // children, were waited for.
  if (process) monitor::reap(process->child);
}

void Monitor::fail_partition(size_t p, std::string_view why) {
  Partition& partition = partitions_[p];
  const Instant now = clock_.now();
  if (!partition.recovering) partition.failed_at = now;
  partition.recovering = true;
  const bool requested = std::exchange(partition.killed_on_request, false);
  end_process(p);
  const std::string name(description().partitions[p].name.view());
  if (requested) {
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
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition == p && enclaves_[e].life.state() != State::kRefused) {
      enclaves_[e].life.give_up();
      enclaves_[e].code = Code::kUnavailable;
      enclaves_[e].reason = Text<256>::from("its partition failed too often in a row");
      revoke_streams(e, Code::kUnavailable, enclaves_[e].reason.view());
    }
  }
}

void Monitor::start_enclave(size_t e) {
  Enclave& enclave = enclaves_[e];
  const size_t p = description().enclaves[e].partition;
  Partition& partition = partitions_[p];
  enclave.restart_at.reset();
  enclave.ready = false;
  enclave.instance_lost = false;
  enclave.life.starting(clock_.now());
  auto started = launcher_.start_template(e, partition.process->namespaces);
  if (!started) return fail_enclave(e, started.error().text);
  enclave.process.emplace(std::move(started->child));
  const EnclaveDescription& d = description().enclaves[e];
  control::Message adopt = control::make(control::Type::kAdopt, setup_->system.measured(e).enclave);
  adopt.epoch = partition.epoch;
  adopt.kind = d.kind;
  adopt.threads = d.threads;
  adopt.model_version = d.model_version;
  adopt.memory_bytes = d.memory_bytes;
  adopt.name = d.name;
  const int fd = started->socket.number();
  if (const Status sent = partition.process->socket.send(adopt, {&fd, 1}); !sent)
    fail_partition(p, sent.error().text);
}

void Monitor::fail_enclave(size_t e, std::string_view why) {
  Enclave& enclave = enclaves_[e];
  revoke_streams(e, Code::kPartitionFailed, "it failed");
  if (!partitions_[description().enclaves[e].partition].process) return;  // found dead by that
  if (enclave.process) {
    kill(*enclave.process);
    monitor::reap(*enclave.process);
  }
  enclave.process.reset();
  enclave.ready = false;
  const Instant now = clock_.now();
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
}

void Monitor::fork_instance(size_t e) {
  enclaves_[e].restart_at.reset();
  enclaves_[e].fork_at = clock_.now();
  send(e, control::make(control::Type::kFork, setup_->system.measured(e).enclave));
}

void Monitor::note_recovery(size_t p) {
  Partition& partition = partitions_[p];
  if (!partition.recovering) return;
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    const State state = enclaves_[e].life.state();
    if (description().enclaves[e].partition == p && state != State::kRunning &&
        state != State::kRefused && state != State::kGivenUp)
      return;
  }
  partition.recovering = false;
  partition.recovery_us = microseconds(clock_.now() - partition.failed_at);
  log("partition {}: running again after {:.1f} ms", description().partitions[p].name.view(),
      static_cast<double>(partition.recovery_us) / 1000);
}

void Monitor::start_due(Instant now) {
  for (size_t p = 0; p < partitions_.size(); ++p) {
    if (partitions_[p].restart_at && *partitions_[p].restart_at <= now) start_partition(p);
  }
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    Enclave& enclave = enclaves_[e];
    if (!enclave.restart_at || *enclave.restart_at > now ||
        !partitions_[description().enclaves[e].partition].process)
      continue;
    // A living template only has to fork; a dead one has to be started and to compile again.
    if (enclave.process && enclave.ready) {
      enclave.life.starting(now);
      fork_instance(e);
    } else {
      start_enclave(e);
    }
  }
}

void Monitor::look_for_hangs(Instant now) {
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    const PartitionDescription& partition =
        description().partitions[description().enclaves[e].partition];
    if (enclaves_[e].ready && enclaves_[e].life.state() == State::kStarting &&
        now - enclaves_[e].fork_at >= std::chrono::milliseconds(partition.hang_ms)) {
      fail_enclave(e, "its template makes no instance");
    }
  }
  for (size_t p = 0; p < partitions_.size(); ++p) {
    Partition& partition = partitions_[p];
    if (!partition.process) continue;
    const uint64_t beat = load<uint64_t>(partition.process->heartbeat.bytes());
    if (beat != partition.last_beat) {
      partition.last_beat = beat;
      partition.beat_at = now;
    } else if (now - partition.beat_at >=
               std::chrono::milliseconds(description().partitions[p].hang_ms)) {
      fail_partition(p, "its runtime shows no sign of life");
    }
  }
  for (size_t p = 0; p < partitions_.size(); ++p) {
    const auto patience = std::chrono::milliseconds(description().partitions[p].hang_ms);
    for (const size_t stream : streams_.stalled(now, patience)) {
      if (description().enclaves[streams_.callee(stream)].partition == p) {
        fail_partition(p, std::format("enclave {} has work and makes no progress",
                                      name(streams_.callee(stream))));
      }
    }
  }
}

}  // namespace casemate::monitor
