// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/monitor.h"

#include <poll.h>

#include "base/log.h"

namespace casemate::monitor {
namespace {

constexpr Duration kHangCheck = std::chrono::milliseconds(250);

RestartPolicy policy_of(const PartitionDescription& p) {
  return {std::chrono::milliseconds(p.backoff_ms_first),
          std::chrono::milliseconds(p.backoff_ms_max), std::chrono::milliseconds(p.stable_ms),
          p.failures_max};
}

std::vector<bool> gateways_of(const SystemDescription& d) {
  std::vector<bool> gateways;
  for (uint32_t e = 0; e < d.enclave_count; ++e) {
    gateways.push_back(d.enclaves[e].kind == static_cast<uint32_t>(EnclaveKind::kGateway));
  }
  return gateways;
}

std::vector<RestartPolicy> policies_of_streams(const SystemDescription& d) {
  std::vector<RestartPolicy> policies;
  for (uint32_t i = 0; i < d.stream_count; ++i)
    policies.push_back(policy_of(d.partitions[d.enclaves[d.streams[i].callee].partition]));
  return policies;
}

}  // namespace

Monitor::Monitor(const allow::Powers& powers, std::unique_ptr<Setup> setup, Clock& clock)
    : powers_(powers),
      setup_(std::move(setup)),
      clock_(clock),
      launcher_(powers.spawn, setup_->system, std::move(setup_->cgroups),
                std::move(setup_->listener)),
      streams_(powers.revoke, description(), gateways_of(description()),
               policies_of_streams(description())) {
  for (uint32_t p = 0; p < description().partition_count; ++p)
    partitions_.emplace_back(policy_of(description().partitions[p]));
  for (uint32_t e = 0; e < description().enclave_count; ++e) {
    enclaves_.emplace_back(
        policy_of(description().partitions[description().enclaves[e].partition]));
  }
}

Status Monitor::run() {
  for (size_t p = 0; p < partitions_.size(); ++p) start_partition(p);
  while (!stopping_) {
    wait_for_events();
    const Instant now = clock_.now();
    forget_the_dead();
    finish_quote(now);
    vouch_for_locked(now);
    tell_restarts();
    if (now >= hang_check_at_) {
      hang_check_at_ = now + kHangCheck;
      close_streams();
      look_for_hangs(now);
    }
    // With a fresh look at the clock: what was found just now may be due at once.
    start_due(clock_.now());
  }
  shut_down();
  return {};
}

int Monitor::milliseconds_to_next(Instant now) const {
  Instant next = std::max(hang_check_at_, now);
  // What is due and was not done waits for something else, whose event will wake us.
  const auto consider = [&](const std::optional<Instant>& at) {
    if (at && *at > now) next = std::min(next, *at);
  };
  for (const Partition& p : partitions_) {
    consider(p.restart_at);
    consider(p.prepare_at);
  }
  for (const Enclave& e : enclaves_) consider(e.restart_at);
  if (quoted_) consider(quoted_->until);
  for (size_t i = 0; i < streams_.size(); ++i) consider(streams_.reconnect_at(i));
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
}

void Monitor::wait_for_events() {
  struct Owner {
    size_t partition;
    bool standby;
    std::optional<size_t> enclave;  // its template; none: the mOS
  };
  std::vector<pollfd> fds = {{setup_->stop_signal, POLLIN, 0},
                             {setup_->operators.number(), POLLIN, 0}};
  std::vector<Owner> owners;
  const auto watch = [&](const Tree& tree, size_t p, bool standby) {
    fds.push_back({tree.mos.socket.fd(),
                   static_cast<short>(tree.to_mos.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    owners.push_back({p, standby, std::nullopt});
    for (const auto& [e, entry] : tree.templates) {
      fds.push_back({entry.process.pidfd.number(), POLLIN, 0});
      owners.push_back({p, standby, e});
    }
  };
  for (size_t p = 0; p < partitions_.size(); ++p) {
    if (partitions_[p].active) watch(*partitions_[p].active, p, false);
    if (partitions_[p].standby) watch(*partitions_[p].standby, p, true);
  }
  for (const Remains& remains : remains_) {
    for (const jail::Child& child : remains.processes)
      fds.push_back({child.pidfd.number(), POLLIN, 0});
  }
  if (quoted_) fds.push_back({quoted_->vouched.quoting->fd(), POLLIN, 0});
  if (::poll(fds.data(), fds.size(), milliseconds_to_next(clock_.now())) <= 0) return;
  if (fds[0].revents != 0) stopping_ = true;
  for (size_t i = 0; i < owners.size(); ++i) {
    if (fds[i + 2].revents != 0) look_at(owners[i].partition, owners[i].standby, owners[i].enclave);
  }
  if (fds[1].revents != 0) serve_operator();
}

// Something happened to a process. What was handled before it in the same round may have replaced
// it, so everything is looked up again.
void Monitor::look_at(size_t p, bool standby, std::optional<size_t> e) {
  Partition& partition = partitions_[p];
  std::optional<Tree>& tree = standby ? partition.standby : partition.active;
  if (!tree) return;
  // A partition that dies takes its templates along: its socket tells, and those are no failures of
  // their own.
  standby ? take_standby_messages(p) : take_messages(p);
  if (!e || !tree) return;
  const auto found = tree->templates.find(*e);
  if (found == tree->templates.end()) return;
  pollfd dead{found->second.process.pidfd.number(), POLLIN, 0};
  if (::poll(&dead, 1, 0) != 1) return;
  reap();
  const std::string how = manner(p, e, {.pid = found->second.process.pid, .slot = tree->slot});
  standby ? drop_standby(p, "a template died" + how) : fail_enclave(*e, "its template died" + how);
}

void Monitor::shut_down() {
  log("stopping");
  for (size_t p = 0; p < partitions_.size(); ++p) {
    end_active(p);
    if (partitions_[p].standby) bury(p, *std::exchange(partitions_[p].standby, std::nullopt));
  }
  while (!remains_.empty()) {
    ::poll(nullptr, 0, 1);
    forget_the_dead();
  }
}

}  // namespace casemate::monitor
