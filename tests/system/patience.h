// SPDX-License-Identifier: Apache-2.0
#pragma once
// Patience: how long a test waits for something to come true. A machine that stands still for a
// while, and everything on it, does not use it up.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    none is needed.
//   Fails    nothing can.

#include <algorithm>
#include <chrono>

namespace casemate::tests {

class Patience final {
 public:
  explicit Patience(std::chrono::milliseconds all) : left_(all) {}

  // Requires: asked at least every second, by whoever is let run.
  bool over() {
    const auto now = std::chrono::steady_clock::now();
    left_ -= std::min<std::chrono::nanoseconds>(now - last_, std::chrono::milliseconds(1200));
    last_ = now;
    return left_.count() <= 0;
  }

 private:
  std::chrono::nanoseconds left_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace casemate::tests
