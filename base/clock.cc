// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <sys/random.h>

#include <cerrno>
#include <ctime>

#include "base/check.h"

namespace casemate {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] int64_t unix_seconds() const override { return ::time(nullptr); }
};

class SystemRandom final : public Random {
 public:
  void fill(MutableBytes bytes) override {
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t got = ::getrandom(bytes.data() + done, bytes.size() - done, 0);
      CHECK(got >= 0 || errno == EINTR, "getrandom cannot fail on Linux 6");
      if (got > 0) done += static_cast<size_t>(got);
    }
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace casemate
