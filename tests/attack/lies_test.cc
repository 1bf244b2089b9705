// SPDX-License-Identifier: Apache-2.0
// Ends of a stream that lie to each other. The stream is closed and comes back, later each time;
// neither end is restarted for it, since either may be the liar.
#include <gtest/gtest.h>

#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using operating::State;

SmallSystem::Adjust closings(uint32_t failures_max) {
  return [=](SystemDescription& d) {
    for (uint32_t p = 0; p < d.partition_count; ++p) {
      d.partitions[p].failures_max = failures_max;
      d.partitions[p].stable_ms = 60'000;  // no life of a stream is long enough to be forgiven
      d.partitions[p].hang_ms = 1'000;
      d.partitions[p].standby = 0;
    }
    d.partitions[0].hang_ms = 60'000;
  };
}

// Indices that no honest caller of a ring of 8 slots that is at its beginning publishes.
constexpr const char* kLies[] = {"5", "1000", "18446744073709551615", "9223372036854775808"};

TEST(Lies, of_a_caller_cost_its_own_stream_alone) {
  SmallSystem system({{"one", "p1"}, {"two", "p2"}}, closings(100));
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  ASSERT_EQ(system.ask("one", Call::kKeep, "kept").code, 0u);
  const uint32_t neighbour = system.ask("two", Call::kEcho).epoch;
  for (const char* lie : kLies) {
    const uint32_t epoch = system.ask("one", Call::kEcho).epoch;
    ASSERT_EQ(system.ask("one", Call::kLie, lie).code, 0u);
    ASSERT_TRUE(system.answers("one")) << "a stream that was closed comes back: " << lie;
    EXPECT_GT(system.ask("one", Call::kEcho).epoch, epoch) << "as another one: " << lie;
  }
  EXPECT_EQ(system.text(system.ask("one", Call::kRecall)), "kept")
      << "whoever was lied to is the instance it was";
  EXPECT_EQ(system.partition("p1").failures, 0u);
  EXPECT_EQ(system.ask("two", Call::kEcho).epoch, neighbour);
}

TEST(Lies, of_a_callee_are_no_reason_to_trust_its_caller_and_restart_it) {
  SmallSystem system({{"one", "p1"}, {"two", "p2"}}, closings(100));
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  ASSERT_EQ(system.ask("one", Call::kKeep, "kept").code, 0u);
  for (const char* sin : {"answer_too_much", "answer_backwards"}) {
    EXPECT_EQ(code_from(system.ask("one", Call::kSin, sin).code), Code::kPartitionFailed);
    ASSERT_TRUE(system.answers("one")) << sin;
  }
  EXPECT_EQ(system.text(system.ask("one", Call::kRecall)), "kept");
  EXPECT_EQ(system.partition("p1").failures, 0u);
}

TEST(Lies, without_end_are_met_less_and_less_often_and_then_not_at_all) {
  constexpr uint32_t kClosings = 4;
  SmallSystem system({{"one", "p1"}, {"two", "p2"}}, closings(kClosings));
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  ASSERT_EQ(system.ask("one", Call::kKeep, "kept").code, 0u);
  for (uint32_t i = 0; i < kClosings; ++i) {
    ASSERT_EQ(system.ask("one", Call::kLie, "5").code, 0u);
    ASSERT_TRUE(system.answers("one")) << i;
  }
  ASSERT_EQ(system.ask("one", Call::kLie, "5").code, 0u);
  EXPECT_FALSE(system.answers("one", 2000)) << "it was given up";
  EXPECT_EQ(system.enclave("one").state, static_cast<uint32_t>(State::kRunning));
  EXPECT_TRUE(system.answers("two"));
  ASSERT_TRUE(system.kill("driver"));
  ASSERT_TRUE(system.started("driver", 2)) << "or the dying one takes the connection along";
  system.connect();
  ASSERT_TRUE(system.answers("one")) << "a fresh caller is believed";
  EXPECT_EQ(system.text(system.ask("one", Call::kRecall)), "kept");
}

}  // namespace
}  // namespace casemate::tests
