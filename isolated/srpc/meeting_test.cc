// SPDX-License-Identifier: Apache-2.0
#include "isolated/srpc/meeting.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <climits>

namespace casemate::srpc {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Cores that this thread may run on, in order.
std::vector<int> cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  std::vector<int> list;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<size_t>(i), &set)) list.push_back(i);
  }
  return list;
}

class MeetingTest : public testing::Test {
 protected:
  void SetUp() override {
    ::sched_getaffinity(0, sizeof before_, &before_);
    all_ = cores();
  }
  void TearDown() override { ::sched_setaffinity(0, sizeof before_, &before_); }

  void call(Duration length, uint64_t waiting = 0) {
    meeting_.begin(waiting, now_);
    meeting_.end(now_ += length);
  }
  void sleep_near(int core) { meeting_.before_sleep(Untrusted(core), now_); }

  Instant now_{};
  std::vector<int> all_;
  Meeting meeting_ = Meeting::of_this_thread();

 private:
  cpu_set_t before_{};
};

TEST_F(MeetingTest, a_callee_of_short_calls_sleeps_on_its_callers_core) {
  for (const int core : {all_.back(), all_.front()}) {
    call(microseconds(10));
    sleep_near(core);
    EXPECT_TRUE(meeting_.met());
    EXPECT_EQ(cores(), std::vector{core});
  }
}

TEST_F(MeetingTest, one_of_long_calls_stays_away) {
  for (int i = 0; i < 20; ++i) call(milliseconds(2));
  sleep_near(all_.front());
  EXPECT_FALSE(meeting_.met());
  EXPECT_EQ(cores(), all_);
}

TEST_F(MeetingTest, the_longer_calls_are_the_longer_it_spins_for_the_next_within_bounds) {
  const Duration least = microseconds(50);
  for (int i = 0; i < 50; ++i) call(microseconds(10));
  EXPECT_EQ(meeting_.spin(least), least);
  for (int i = 0; i < 100; ++i) call(microseconds(1600));
  EXPECT_GT(meeting_.spin(least), microseconds(95));
  EXPECT_LE(meeting_.spin(least), microseconds(100)) << "a sixteenth";
  for (int i = 0; i < 100; ++i) call(std::chrono::seconds(2));
  EXPECT_EQ(meeting_.spin(least), microseconds(200));
  EXPECT_EQ(meeting_.spin(Duration(0)), Duration(0)) << "who never spins does not now";
}

TEST_F(MeetingTest, calls_that_become_long_part_them) {
  sleep_near(all_.front());
  ASSERT_TRUE(meeting_.met());
  for (int i = 0; i < 20; ++i) call(milliseconds(2));
  EXPECT_FALSE(meeting_.met());
  EXPECT_EQ(cores(), all_);
}

TEST_F(MeetingTest, calls_that_queue_up_part_them_for_a_while) {
  sleep_near(all_.front());
  for (int i = 0; i < 3; ++i) call(microseconds(10), 2);
  EXPECT_TRUE(meeting_.met());
  call(microseconds(10), 1);
  EXPECT_FALSE(meeting_.met());
  EXPECT_EQ(cores(), all_);
  sleep_near(all_.front());
  EXPECT_FALSE(meeting_.met()) << "not again at once";
  now_ += milliseconds(11);
  sleep_near(all_.front());
  EXPECT_TRUE(meeting_.met());
}

TEST_F(MeetingTest, a_second_one_on_the_same_thread_is_not_held_by_the_first) {
  sleep_near(all_.front());
  ASSERT_TRUE(meeting_.met());
  meeting_ = Meeting::of_this_thread();
  EXPECT_EQ(cores(), all_) << "it begins free";
  sleep_near(all_.back());
  EXPECT_EQ(cores(), std::vector{all_.back()});
}

TEST_F(MeetingTest, a_caller_that_no_longer_says_where_it_is_lets_the_callee_go) {
  sleep_near(all_.front());
  ASSERT_TRUE(meeting_.met());
  sleep_near(-1);
  EXPECT_FALSE(meeting_.met());
  EXPECT_EQ(cores(), all_);
}

TEST_F(MeetingTest, a_callee_leaves_the_core_that_its_caller_spins_on) {
  if (all_.size() < 2) GTEST_SKIP() << "there is but one core";
  for (const int core : {all_.front(), all_.back()}) {
    sleep_near(core);
    ASSERT_EQ(cores(), std::vector{core}) << "both are on it";
    meeting_.before_wait(Untrusted(spinning_on(core)));
    EXPECT_FALSE(meeting_.met());
    EXPECT_FALSE(std::ranges::contains(cores(), core));
    EXPECT_EQ(cores().size(), all_.size() - 1);
    meeting_.before_wait(Untrusted(core));
    EXPECT_EQ(cores(), all_) << "the caller no longer spins";
  }
}

TEST_F(MeetingTest, a_callee_that_is_elsewhere_stays_where_it_is) {
  if (all_.size() < 2) GTEST_SKIP() << "there is but one core";
  sleep_near(all_.front());
  meeting_.before_wait(Untrusted(spinning_on(all_.back())));
  EXPECT_EQ(cores(), std::vector{all_.front()});
}

TEST_F(MeetingTest, lies_about_the_core_change_nothing) {
  for (const int lie : {-1, CPU_SETSIZE, CPU_SETSIZE - 1, 1 << 30, -(1 << 30), INT_MIN, INT_MAX}) {
    sleep_near(lie);
    EXPECT_FALSE(meeting_.met()) << lie;
    meeting_.before_wait(Untrusted(lie < 0 ? lie : -1 - lie));
    EXPECT_EQ(cores(), all_) << lie;
  }
  EXPECT_EQ(cores(), all_);
}

}  // namespace
}  // namespace casemate::srpc
