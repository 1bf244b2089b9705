// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/monitor.h"

#include <poll.h>
#include <sys/wait.h>

#include <format>

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

}  // namespace

Monitor::Monitor(const allow::Powers& powers, std::unique_ptr<Setup> setup, Clock& clock)
    : powers_(powers),
      setup_(std::move(setup)),
      clock_(clock),
      launcher_(powers.spawn, setup_->system, std::move(setup_->cgroups),
                std::move(setup_->listener)),
      streams_(powers.revoke, description(), gateways_of(description())) {
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
    reap();
    start_due(now);
    if (now >= hang_check_at_) {
      hang_check_at_ = now + kHangCheck;
      look_for_hangs(now);
    }
  }
  shut_down();
  return {};
}

int Monitor::milliseconds_to_next(Instant now) const {
  Instant next = hang_check_at_;
  for (const Partition& p : partitions_) {
    if (p.restart_at) next = std::min(next, *p.restart_at);
  }
  for (const Enclave& e : enclaves_) {
    if (e.restart_at) next = std::min(next, *e.restart_at);
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
  return static_cast<int>(std::max<int64_t>(0, left));
}

void Monitor::wait_for_events() {
  std::vector<pollfd> fds = {{setup_->stop_signal, POLLIN, 0},
                             {setup_->operators.number(), POLLIN, 0}};
  std::vector<std::pair<size_t, bool>> owners;  // partition or enclave, and which of the two
  for (size_t p = 0; p < partitions_.size(); ++p) {
    if (!partitions_[p].process) continue;
    fds.push_back({partitions_[p].process->socket.fd(), POLLIN, 0});
    owners.emplace_back(p, true);
  }
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (!enclaves_[e].process) continue;
    fds.push_back({enclaves_[e].process->pidfd.number(), POLLIN, 0});
    owners.emplace_back(e, false);
  }
  if (::poll(fds.data(), fds.size(), milliseconds_to_next(clock_.now())) <= 0) return;
  if (fds[0].revents != 0) stopping_ = true;
  // Partitions before enclaves: a dead partition's enclaves are its business, not failures of their
  // own.
  for (size_t i = 0; i < owners.size(); ++i) {
    const auto [index, is_partition] = owners[i];
    if (fds[i + 2].revents == 0) continue;
    if (is_partition) {
      if (partitions_[index].process) take_messages(index);
    } else if (enclaves_[index].process &&
               enclaves_[index].process->pidfd.number() == fds[i + 2].fd) {
      const size_t p = description().enclaves[index].partition;
      // Its partition may have died in the same instant; then its socket says so first.
      if (partitions_[p].process) take_messages(p);
      if (enclaves_[index].process) fail_enclave(index, "its template died");
    }
  }
  if (fds[1].revents != 0) serve_operator();
}

void Monitor::reap() {
  // What was killed and stuck, and what was handed to us by a dying process in between.
  while (::waitpid(-1, nullptr, __WALL | WNOHANG) > 0) {
  }
}

void Monitor::shut_down() {
  log("stopping");
  for (size_t p = 0; p < partitions_.size(); ++p) end_process(p);
}

}  // namespace casemate::monitor
