// SPDX-License-Identifier: Apache-2.0
#pragma once
// Spinning: whether who waits for replies spins or sleeps. To sleep is cheap where to wake is; to
// spin is quicker where calls are short and there is a core to spin on. Which holds depends on the
// machine, the callee and everybody else, so it is measured: mostly the better way is taken, now
// and then the other for some calls. Calls that are long gain nothing, and are slept through.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    a peer that takes its time makes the caller sleep, or spin for patience() per call.
//   Fails    never.

#include <cstdint>

#include "base/clock.h"

namespace casemate::srpc {

class Spinning final {
 public:
  // A call asleep that takes longer is not worth a trial.
  static constexpr Duration kLong = std::chrono::microseconds(300);
  // Calls of a trial: those that two need to settle on their cores are not decisive.
  static constexpr uint32_t kTrial = 200;
  // Calls from trial to trial.
  static constexpr uint32_t kBetween = 5000;

  [[nodiscard]] bool spins() const { return spins_; }
  // How long to spin for one reply: who has waited so long sleeps after all.
  [[nodiscard]] Duration patience() const;
  // A call was waited for in the present way, and took so long from its start to its reply.
  void ended(Duration took);

 private:
  // 0 where nothing is known.
  [[nodiscard]] Duration& mean(bool spinning) { return means_[spinning ? 1 : 0]; }
  void decide();

  Duration means_[2]{};
  bool spins_ = false;
  bool better_ = false;  // the better way, as far as is known
  uint32_t left_ = kTrial;
};

}  // namespace casemate::srpc
