// SPDX-License-Identifier: Apache-2.0
#pragma once
// FixedClock: the calendar stands at verify::testing::kNow, when all test evidence is made;
// intervals pass as they do.
//
//   Owns     nothing.
//   Threads  any.
//   Trust    test code.
//   Fails    cannot.

#include "base/clock.h"
#include "outside/verify/testing/signer.h"

namespace casemate::client::testing {

class FixedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return system_clock().now(); }
  [[nodiscard]] int64_t unix_seconds() const override { return verify::testing::kNow; }
};

}  // namespace casemate::client::testing
