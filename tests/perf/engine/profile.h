// SPDX-License-Identifier: Apache-2.0
#pragma once
// Profile: how long each step of a plan takes, summed over the steps of one kind: those whose names
// differ in numbers alone, as the layers of a network do.

#include <chrono>
#include <string>
#include <vector>

#include "isolated/engine/engine.h"

namespace casemate {

class Profile final : public engine::StepObserver {
 public:
  void begin(const engine::Plan& plan) override;
  void done(const engine::Plan& plan, size_t step) override;

  // Per kind, the slowest first: milliseconds of one run, and billions of multiply-adds per second,
  // twice, as they are customarily counted.
  [[nodiscard]] std::string text() const;

 private:
  using Clock = std::chrono::steady_clock;

  const engine::Plan* plan_ = nullptr;
  Clock::time_point last_;
  std::vector<std::vector<double>> ms_;  // by step, by run
};

}  // namespace casemate
