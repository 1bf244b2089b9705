// SPDX-License-Identifier: Apache-2.0
#pragma once
// Seldom: how often a stranger may cause something: so many times at once, then one more for each
// `every` that passes. What was too much is counted.
//
//   Owns     nothing; the clock outlives it.
//   Threads  one.
//   Trust    ours.
//   Fails    cannot.

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace casemate::client {

class Seldom final {
 public:
  Seldom(const Clock& clock, int64_t at_once, Duration every)
      : clock_(clock), ahead_(every * (at_once - 1)), every_(every) {}

  // Whether it may be now.
  bool take() {
    const Instant now = clock_.now();
    const Instant from = std::max(next_, now);
    if (from - now > ahead_) {
      ++left_out_;
      return false;
    }
    next_ = from + every_;
    return true;
  }
  // How often it might not since this was asked.
  uint64_t left_out() { return std::exchange(left_out_, 0); }

 private:
  const Clock& clock_;
  Duration ahead_;
  Duration every_;
  Instant next_{};
  uint64_t left_out_ = 0;
};

}  // namespace casemate::client
