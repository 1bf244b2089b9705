// SPDX-License-Identifier: Apache-2.0
#pragma once
// Clock and Random: the two things that make a program unrepeatable, passed in so that a simulator
// can be both.

#include <chrono>
#include <cstdint>

#include "base/bytes.h"

namespace casemate {

using Duration = std::chrono::nanoseconds;
// Monotonic time since an arbitrary start.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  // Seconds since 1970-01-01 UTC: for certificates and evidence, never for intervals.
  [[nodiscard]] virtual int64_t unix_seconds() const = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes bytes) = 0;
};

// The kernel's clocks and generator.
Clock& system_clock();
Random& system_random();

}  // namespace casemate
