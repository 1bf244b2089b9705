// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace casemate::gateway {
namespace {

using std::chrono::minutes;

struct Looker final : Watcher {
  void ready(uint32_t) override { ++heard; }
  bool look() override {
    ++looks;
    if (wants > 0) --wants;
    return wants > 0;
  }
  int wants = 0;  // more looks
  int looks = 0;
  int heard = 0;
};

class LoopLooks : public testing::Test {
 protected:
  void SetUp() override {
    loop_ = std::move(*Loop::make(system_clock()));
    ASSERT_TRUE(loop_->watch(bell_.number(), EPOLLIN, heard_));
  }
  void ring() {
    const uint64_t one = 1;
    ASSERT_EQ(::write(bell_.number(), &one, sizeof one), 8);
  }

  Fd bell_{::eventfd(0, EFD_NONBLOCK)};
  std::unique_ptr<Loop> loop_;
  Looker heard_;
};

TEST_F(LoopLooks, keep_it_from_waiting_while_somebody_wants_another) {
  Looker one;
  loop_->look_at(one);
  one.wants = 3;
  ASSERT_TRUE(loop_->run_once(minutes(10)));
  ASSERT_TRUE(loop_->run_once(minutes(10)));
  ring();
  ASSERT_TRUE(loop_->run_once(minutes(10)));
  EXPECT_EQ(one.looks, 3);
  EXPECT_EQ(heard_.heard, 1);
  loop_->forget(-1, one);
}

TEST_F(LoopLooks, are_all_taken_before_it_waits) {
  std::vector<Looker> many(5);
  for (Looker& looker : many) loop_->look_at(looker);
  ring();
  ASSERT_TRUE(loop_->run_once(minutes(10)));
  for (Looker& looker : many) {
    EXPECT_EQ(looker.looks, 1);
    loop_->forget(-1, looker);
  }
}

TEST_F(LoopLooks, of_many_who_want_more_go_round_one_in_each_round) {
  std::vector<Looker> many(3);
  for (Looker& looker : many) {
    looker.wants = 100;
    loop_->look_at(looker);
  }
  for (int round = 0; round < 30; ++round) ASSERT_TRUE(loop_->run_once(minutes(10)));
  for (Looker& looker : many) {
    EXPECT_EQ(looker.looks, 10);
    loop_->forget(-1, looker);
  }
}

TEST_F(LoopLooks, end_with_who_is_forgotten) {
  Looker one;
  loop_->look_at(one);
  loop_->forget(-1, one);
  ring();
  ASSERT_TRUE(loop_->run_once(minutes(10)));
  EXPECT_EQ(one.looks, 0);
}

}  // namespace
}  // namespace casemate::gateway
