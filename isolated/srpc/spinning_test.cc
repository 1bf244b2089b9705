// SPDX-License-Identifier: Apache-2.0
#include "isolated/srpc/spinning.h"

#include <gtest/gtest.h>

namespace casemate::srpc {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// What calls take, asleep and spinning. Returns how many of them were spun for.
uint32_t run(Spinning& spinning, uint32_t calls, Duration asleep, Duration spun) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < calls; ++i) {
    count += spinning.spins() ? 1 : 0;
    spinning.ended(spinning.spins() ? spun : asleep);
  }
  return count;
}

constexpr uint32_t kMany = 50000;

TEST(Spinning, of_short_calls_where_it_is_quicker) {
  Spinning spinning;
  EXPECT_FALSE(spinning.spins()) << "it begins asleep";
  EXPECT_GT(run(spinning, kMany, microseconds(40), microseconds(20)), kMany * 9 / 10);
}

TEST(Spinning, never_of_long_calls) {
  Spinning spinning;
  EXPECT_EQ(run(spinning, kMany, milliseconds(5), microseconds(1)), 0);
}

TEST(Spinning, only_as_a_trial_where_it_gains_nothing) {
  Spinning spinning;
  EXPECT_LT(run(spinning, kMany, microseconds(40), microseconds(40)), kMany / 10);
  EXPECT_LT(run(spinning, kMany, microseconds(40), microseconds(90)), kMany / 10);
}

TEST(Spinning, ends_at_once_where_calls_become_long) {
  Spinning spinning;
  run(spinning, kMany, microseconds(40), microseconds(20));
  while (!spinning.spins()) spinning.ended(microseconds(40));
  EXPECT_LT(run(spinning, kMany, milliseconds(2), milliseconds(2)), 20);
}

TEST(Spinning, follows_what_changes) {
  Spinning spinning;
  run(spinning, kMany, microseconds(40), microseconds(20));
  EXPECT_LT(run(spinning, kMany, microseconds(40), microseconds(60)), kMany / 4);
  EXPECT_GT(run(spinning, kMany, microseconds(40), microseconds(20)), kMany * 3 / 4);
}

TEST(Spinning, is_not_led_by_a_call_that_was_held_up) {
  Spinning spinning;
  run(spinning, kMany, microseconds(40), microseconds(20));
  while (!spinning.spins()) spinning.ended(microseconds(40));
  spinning.ended(std::chrono::seconds(10));
  EXPECT_TRUE(spinning.spins());
}

TEST(Spinning, has_an_end_for_each_call) {
  Spinning spinning;
  EXPECT_LE(spinning.patience(), Spinning::kLong);
  run(spinning, kMany, microseconds(40), microseconds(20));
  EXPECT_GT(spinning.patience(), microseconds(20));
  EXPECT_LE(spinning.patience(), microseconds(100));
}

}  // namespace
}  // namespace casemate::srpc
