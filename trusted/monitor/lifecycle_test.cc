// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/lifecycle.h"

#include <gtest/gtest.h>

namespace casemate::monitor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr RestartPolicy kPolicy{milliseconds(100), milliseconds(350), seconds(10), 5};
const Instant kStart{};

TEST(Lifecycle, a_first_failure_restarts_at_once) {
  Lifecycle life(kPolicy);
  life.starting(kStart);
  EXPECT_EQ(life.failed(kStart + seconds(1)), kStart + seconds(1));
}

TEST(Lifecycle, failures_in_a_row_wait_longer_and_then_give_up) {
  Lifecycle life(kPolicy);
  std::vector<Duration> waits;
  for (int i = 0; i < 5; ++i) {
    life.starting(kStart);
    waits.push_back(*life.failed(kStart) - kStart);
  }
  EXPECT_EQ(waits, (std::vector<Duration>{milliseconds(0), milliseconds(100), milliseconds(200),
                                          milliseconds(350), milliseconds(350)}));
  life.starting(kStart);
  EXPECT_EQ(life.failed(kStart), std::nullopt);
  EXPECT_EQ(life.state(), State::kGivenUp);
}

TEST(Lifecycle, a_long_life_clears_the_count) {
  Lifecycle life(kPolicy);
  for (int i = 0; i < 5; ++i) {
    life.starting(kStart);
    ASSERT_TRUE(life.failed(kStart));
  }
  life.starting(kStart);
  life.running(kStart + seconds(1));
  EXPECT_EQ(life.failed(kStart + seconds(11)), kStart + seconds(11));
  EXPECT_EQ(life.failures_in_a_row(), 1u);
}

TEST(Lifecycle, a_long_start_that_fails_clears_nothing) {
  Lifecycle life(kPolicy);
  for (uint32_t i = 1; i <= 5; ++i) {
    life.starting(kStart);
    ASSERT_TRUE(life.failed(kStart + seconds(100)));
    EXPECT_EQ(life.failures_in_a_row(), i);
  }
  life.starting(kStart);
  life.running(kStart + seconds(100));
  EXPECT_EQ(life.failed(kStart + seconds(105)), std::nullopt);
}

}  // namespace
}  // namespace casemate::monitor
