// SPDX-License-Identifier: Apache-2.0
#include "isolated/srpc/spinning.h"

#include <algorithm>

namespace casemate::srpc {
namespace {

// One call that the system held up says little of the others.
constexpr Duration kOutlier = std::chrono::milliseconds(1);
constexpr int kWeight = 16;

}  // namespace

Duration Spinning::patience() const {
  return means_[1].count() == 0 ? kLong : std::min<Duration>(kLong, 3 * means_[1]);
}

void Spinning::ended(Duration took) {
  Duration& mean = this->mean(spins_);
  const Duration seen = std::clamp(took, Duration(1), kOutlier);
  mean = mean.count() == 0 ? seen : mean + (seen - mean) / kWeight;
  if (spins_ && mean > kLong) better_ = spins_ = false;
  if (--left_ == 0) decide();
}

void Spinning::decide() {
  if (spins_ != better_) {  // the end of a trial
    // Spinning must gain something, for it takes a core's time.
    better_ = mean(true) < mean(false) - mean(false) / 16;
    spins_ = better_;
    left_ = kBetween;
    return;
  }
  const bool hopeless = !better_ && mean(false) > kLong;
  if (!hopeless) {
    spins_ = !better_;
    mean(spins_) = Duration(0);
  }
  left_ = hopeless ? kBetween : kTrial;
}

}  // namespace casemate::srpc
