// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/nonces.h"

#include <gtest/gtest.h>

namespace casemate::keys {
namespace {

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] int64_t unix_seconds() const override { return 0; }
  void pass(Duration time) { now_ += time; }

 private:
  Instant now_{std::chrono::hours(7)};
};

class NonceOfAKey : public testing::Test {
 protected:
  HandClock clock_;
  Nonces nonces_{clock_, system_random()};
};

TEST_F(NonceOfAKey, is_good_for_a_minute_and_until_it_is_spent) {
  const Nonce nonce = nonces_.make();
  const Nonce second = nonces_.make();
  EXPECT_NE(nonce, second);
  clock_.pass(Nonces::kLife);
  EXPECT_TRUE(nonces_.check(nonce));
  ASSERT_TRUE(nonces_.spend(nonce));
  EXPECT_FALSE(nonces_.check(nonce));
  EXPECT_TRUE(nonces_.check(second));
  clock_.pass(Duration(1));
  EXPECT_FALSE(nonces_.check(second));
}

TEST_F(NonceOfAKey, is_refused_with_any_bit_changed_and_where_another_process_made_it) {
  clock_.pass(std::chrono::seconds(30));
  const Nonce nonce = nonces_.make();
  for (size_t bit = 0; bit < 8 * nonce.size(); ++bit) {
    Nonce changed = nonce;
    changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(nonces_.check(changed)) << bit;
  }
  EXPECT_TRUE(nonces_.check(nonce));
  EXPECT_FALSE(nonces_.check(Nonce{}));
  const Nonces other(clock_, system_random());
  EXPECT_FALSE(other.check(nonce));
}

TEST_F(NonceOfAKey, is_not_lost_to_any_number_that_others_ask_for) {
  const Nonce nonce = nonces_.make();
  for (int i = 0; i < 20'000; ++i) nonces_.make();
  EXPECT_TRUE(nonces_.check(nonce));
  EXPECT_EQ(nonces_.spent(), 0u);
}

TEST_F(NonceOfAKey, is_forgotten_when_it_is_too_old_and_those_that_are_spent_are_bounded) {
  const Nonce first = nonces_.make();
  ASSERT_TRUE(nonces_.spend(first));
  clock_.pass(Duration(1));
  for (size_t i = 1; i < Nonces::kSpent; ++i) ASSERT_TRUE(nonces_.spend(nonces_.make()));
  const Nonce more = nonces_.make();
  EXPECT_EQ(nonces_.spend(more).error().code, Code::kUnavailable);
  EXPECT_FALSE(nonces_.check(first)) << "the oldest is not forgotten for a new one";
  EXPECT_EQ(nonces_.spent(), Nonces::kSpent);
  clock_.pass(Nonces::kLife);
  ASSERT_TRUE(nonces_.spend(more));
  EXPECT_EQ(nonces_.spent(), Nonces::kSpent) << "the first has gone";
  clock_.pass(Duration(1));
  ASSERT_TRUE(nonces_.spend(nonces_.make()));
  EXPECT_EQ(nonces_.spent(), 1u);
}

}  // namespace
}  // namespace casemate::keys
