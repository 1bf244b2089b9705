// SPDX-License-Identifier: Apache-2.0
#pragma once
// TokenBucket: how often something may be done: `at_once` times in a row, `per_second` in the long
// run. Pure: no clock.
//
//   Owns     one instant: when the bucket would be full.
//   Threads  a value.
//   Trust    whoever is counted may be hostile.
//   Fails    nothing can.

#include <algorithm>

#include "base/clock.h"

namespace casemate::monitor {

class TokenBucket final {
 public:
  // Requires: both are positive.
  TokenBucket(uint32_t per_second, uint32_t at_once)
      : period_(Duration(std::chrono::seconds(1)) / per_second), depth_(period_ * at_once) {}

  // True, and counted, if it may be done now.
  bool take(Instant now) {
    const Instant full_at = std::max(full_at_, now);
    if (full_at + period_ > now + depth_) return false;
    full_at_ = full_at + period_;
    return true;
  }

 private:
  Duration period_;
  Duration depth_;
  Instant full_at_{};
};

}  // namespace casemate::monitor
