// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lifecycle: when something that died may start again. A first failure restarts at once, further
// ones in a row wait twice as long each time, and too many in a row end in giving up. Pure: no
// clock, no processes.
//
//   Owns     counters.
//   Threads  a value.
//   Trust    failures may be provoked by a hostile model or client; the back-off bounds what that
//            costs.
//   Fails    nothing can.

#include <optional>

#include "base/clock.h"
#include "wire/abi/operator.h"
#include "wire/abi/system.h"

namespace casemate::monitor {

using operating::State;

struct RestartPolicy {
  Duration backoff_first{};
  Duration backoff_max{};
  Duration stable{};  // having run for at least this long clears the count
  uint32_t failures_max = 1;
};

class Lifecycle final {
 public:
  explicit Lifecycle(RestartPolicy policy) : policy_(policy) {}

  void starting(Instant now);
  void running(Instant now);
  // It ended without being asked. Returns when to start again, or nothing: given up.
  std::optional<Instant> failed(Instant now);
  // It was ended on request: it restarts at once and nothing is counted.
  void ended_on_request() { state_ = State::kDown; }
  void refused() { state_ = State::kRefused; }
  void give_up() { state_ = State::kGivenUp; }
  void reset() { *this = Lifecycle(policy_); }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Instant started() const { return started_; }
  [[nodiscard]] uint32_t failures_in_a_row() const { return failures_; }

 private:
  RestartPolicy policy_;
  State state_ = State::kDown;
  uint32_t failures_ = 0;
  Instant started_{};
  std::optional<Instant> ran_from_;  // nothing: it has not got that far yet
};

}  // namespace casemate::monitor
