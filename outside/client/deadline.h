// SPDX-License-Identifier: Apache-2.0
#pragma once
// Deadline: when to give up. Made once for an operation and passed down, so that the parts of the
// operation share one time and cannot add up to more.
//
//   Owns     nothing; the clock outlives it.
//   Threads  a value type.
//   Trust    ours.
//   Fails    cannot.

#include <algorithm>

#include "base/clock.h"

namespace casemate::client {

class Deadline final {
 public:
  Deadline(const Clock& clock, Duration timeout) : clock_(&clock), at_(clock.now() + timeout) {}

  // What is left; zero when it has passed.
  [[nodiscard]] Duration left() const { return std::max(at_ - clock_->now(), Duration::zero()); }
  // For poll(2): rounded up, so that a wait ends with the deadline passed, and at most a minute.
  [[nodiscard]] int left_ms() const {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left()).count();
    return static_cast<int>(std::min<int64_t>(ms, 60'000));
  }
  // One of `parts` equal parts of what is left, for a try that others are to follow.
  [[nodiscard]] Deadline share(int64_t parts) const { return Deadline(*clock_, left() / parts); }
  [[nodiscard]] bool passed() const { return left() == Duration::zero(); }

 private:
  const Clock* clock_;
  Instant at_;
};

}  // namespace casemate::client
