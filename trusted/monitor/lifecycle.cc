// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/lifecycle.h"

#include <algorithm>

namespace casemate::monitor {

void Lifecycle::starting(Instant now) {
  state_ = State::kStarting;
  started_ = now;
  ran_from_.reset();
}

void Lifecycle::running(Instant now) {
  state_ = State::kRunning;
  ran_from_ = now;
}

std::optional<Instant> Lifecycle::failed(Instant now) {
  if (ran_from_ && now - *ran_from_ >= policy_.stable) failures_ = 0;
  ++failures_;
  if (failures_ > policy_.failures_max) {
    state_ = State::kGivenUp;
    return std::nullopt;
  }
  state_ = State::kBackingOff;
  if (failures_ == 1) return now;
  const uint32_t doublings = std::min(failures_ - 2, 20u);
  return now + std::min(policy_.backoff_max, policy_.backoff_first * (1 << doublings));
}

}  // namespace casemate::monitor
