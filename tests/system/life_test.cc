// SPDX-License-Identifier: Apache-2.0
// The life of partitions, with a real monitor and real jails.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "base/format.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using operating::State;

TEST(Life, a_jailed_enclave_answers_through_a_stream) {
  SmallSystem system({{"one", "p1"}});
  EXPECT_TRUE(system.answers("one"));
}

TEST(Life, a_killed_partition_comes_back_and_its_neighbour_notices_nothing) {
  SmallSystem system({{"one", "p1"}, {"two", "p2"}});
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  ASSERT_EQ(system.ask("two", Call::kKeep, "kept").code, 0u);
  EXPECT_TRUE(hurt(system.partition("p1").pid, SIGKILL));
  ASSERT_TRUE(system.started("p1", 2));
  EXPECT_TRUE(system.answers("one"));
  EXPECT_EQ(system.text(system.ask("two", Call::kRecall)), "kept") << "the same instance as before";
  EXPECT_EQ(system.partition("p2").epoch, 1u);
}

std::set<pid_t> children_of(pid_t parent) {
  std::ifstream file(formatted("/proc/{0}/task/{0}/children", parent));
  return {std::istream_iterator<pid_t>(file), {}};
}

TEST(Life, a_standby_takes_over_without_the_memory_of_the_dead_and_another_is_prepared) {
  SmallSystem system({{"one", "p1"}});
  ASSERT_TRUE(system.answers("one") && system.settled());
  for (uint32_t epoch = 2; epoch < 5; ++epoch) {
    ASSERT_EQ(system.ask("one", Call::kKeep, "secret").code, 0u);
    const std::set<pid_t> there = children_of(system.monitor());
    ASSERT_TRUE(hurt(system.partition("p1").pid, SIGKILL));
    ASSERT_TRUE(system.started("p1", epoch));
    EXPECT_TRUE(there.contains(system.partition("p1").pid)) << "it was loaded beforehand";
    EXPECT_TRUE(system.answers("one"));
    EXPECT_EQ(system.text(system.ask("one", Call::kRecall)), "");
    ASSERT_TRUE(system.settled());
  }
}

TEST(Life, a_partition_without_a_standby_loads_again) {
  SmallSystem system({{"one", "p1"}}, [](SystemDescription& d) { d.partitions[1].standby = 0; });
  ASSERT_TRUE(system.answers("one"));
  EXPECT_EQ(system.partition("p1").standby, 0u);
  ASSERT_TRUE(hurt(system.partition("p1").pid, SIGKILL));
  EXPECT_TRUE(system.started("p1", 2) && system.answers("one"));
}

TEST(Life, an_operator_may_kill_a_partition_and_nothing_else) {
  SmallSystem system({{"one", "p1"}});
  ASSERT_TRUE(system.answers("one"));
  EXPECT_EQ(system.kill("p9").error().code, Code::kNotFound);
  ASSERT_TRUE(system.kill("p1"));
  EXPECT_TRUE(system.started("p1", 2) && system.answers("one"));
  EXPECT_EQ(system.partition("p1").failures, 0u) << "what was asked for is no failure";
}

TEST(Life, a_crashed_instance_is_replaced_from_its_template_without_its_memory) {
  SmallSystem system({{"one", "p1"}, {"two", "p1"}});
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  ASSERT_EQ(system.ask("one", Call::kKeep, "secret of an earlier request").code, 0u);
  ASSERT_EQ(system.ask("two", Call::kKeep, "kept").code, 0u);
  EXPECT_EQ(code_from(system.ask("one", Call::kDie).code), Code::kPartitionFailed);
  ASSERT_TRUE(system.answers("one"));
  EXPECT_EQ(system.text(system.ask("one", Call::kRecall)), "")
      << "a fresh instance has seen nothing";
  EXPECT_EQ(system.text(system.ask("two", Call::kRecall)), "kept") << "even in the same partition";
  EXPECT_EQ(system.partition("p1").epoch, 1u);
}

TEST(Life, an_instance_that_makes_no_progress_is_taken_for_hung) {
  SmallSystem system({{"one", "p1"}, {"two", "p2"}});
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  EXPECT_EQ(code_from(system.ask("one", Call::kHang, "", 10'000).code), Code::kPartitionFailed);
  EXPECT_TRUE(system.started("p1", 2) && system.answers("one"));
  EXPECT_EQ(system.partition("p2").epoch, 1u);
}

TEST(Life, a_gateway_that_listens_to_nobody_is_taken_for_hung) {
  SmallSystem system({{"one", "p1"}}, [](SystemDescription& d) { d.partitions[0].hang_ms = 600; });
  ASSERT_TRUE(system.answers("one") && system.settled());
  ASSERT_EQ(system.ask("one", Call::kKeep, "kept").code, 0u);
  EXPECT_EQ(code_from(system.ask("one", Call::kDeafen, "", 0).code), Code::kPlatform)
      << "its end ends the connection";
  ASSERT_TRUE(system.started("driver", 2));
  system.connect();
  ASSERT_TRUE(system.answers("one"));
  EXPECT_EQ(system.text(system.ask("one", Call::kRecall)), "kept") << "nobody else was restarted";
}

TEST(Life, a_template_that_loads_without_end_is_given_up_and_harms_nobody) {
  SmallSystem system({{"slow", "p1", "sleep"}, {"two", "p2"}}, [](SystemDescription& d) {
    d.partitions[1].load_ms = 300;
    d.partitions[1].failures_max = 2;
  });
  ASSERT_TRUE(system.answers("two"));
  EXPECT_FALSE(system.answers("slow", 3000));
  EXPECT_EQ(system.enclave("slow").state, static_cast<uint32_t>(State::kGivenUp));
  EXPECT_EQ(system.partition("p2").failures, 0u);
}

// The one of the monitor's children that runs the fixture's program and is not among `known`.
pid_t fresh_template(pid_t monitor, const std::set<pid_t>& known) {
  for (const pid_t child : children_of(monitor)) {
    std::ifstream file(formatted("/proc/{}/comm", child));
    const std::string comm{std::istreambuf_iterator<char>(file), {}};
    if (!known.contains(child) && comm.starts_with("fixture")) return child;
  }
  return -1;
}

TEST(Life, a_standby_that_loads_without_end_is_dropped_and_another_is_prepared) {
  SmallSystem system({{"one", "p1", "sleep"}}, [](SystemDescription& d) {
    d.partitions[0].standby = 0;
    d.partitions[1].load_ms = 2000;
  });
  system.status();  // the monitor answers when it has started all it was told to
  const std::set<pid_t> active = children_of(system.monitor());
  ASSERT_TRUE(system.answers("one"));
  pid_t slow = fresh_template(system.monitor(), active);
  for (int i = 0; slow < 0 && i < 900; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    slow = fresh_template(system.monitor(), active);
  }
  ASSERT_TRUE(hurt(slow, SIGSTOP));
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  EXPECT_EQ(system.partition("p1").standby, 1u) << "it should be loaded by now, and is stopped";
  for (int i = 0; i < 200 && children_of(system.monitor()).contains(slow); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(children_of(system.monitor()).contains(slow));
  EXPECT_TRUE(system.answers("one"));
  for (int i = 0; i < 1000 && system.partition("p1").standby != 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(system.partition("p1").standby, 2u);
}

TEST(Life, an_enclave_that_asks_for_signatures_without_end_gets_a_few) {
  SmallSystem system({{"one", "p1"}});
  ASSERT_TRUE(system.answers("one"));
  const int granted =
      std::stoi("0" + system.text(system.ask("one", Call::kAskOften, "400", 20'000)));
  EXPECT_GE(granted, 100);
  EXPECT_LT(granted, 300) << "a hundred at once, and a few while it asked";
}

TEST(Life, a_leader_is_vouched_for_with_all_who_stand_behind_it_in_the_order_of_its_calls) {
  const auto led = [](SystemDescription& d) {
    d.streams[1].caller = 1;  // one calls two and four, and two calls three
    d.streams[2].caller = 2;
    d.streams[3].caller = 1;
  };
  SmallSystem system({{"one", "p1"}, {"two", "p2"}, {"three", "p2"}, {"four", "p2"}}, led);
  ASSERT_TRUE(system.answers("one"));
  EXPECT_EQ(system.text(system.ask("one", Call::kAskBehind, "1")),
            "one>2 two>1 three>0 four>0 denied");
  EXPECT_EQ(system.text(system.ask("one", Call::kAskBehind, "2")), "two>1 three>0 denied");
  EXPECT_EQ(system.text(system.ask("one", Call::kAskBehind, "0")), "denied") << "its own caller";
  EXPECT_EQ(system.text(system.ask("one", Call::kAskBehind, "1 key")), "denied")
      << "clients connect to gateways alone";
  EXPECT_EQ(system.text(system.ask("one", Call::kAskBehind, "3")), "denied")
      << "whom it does not call itself";
}

TEST(Life, a_stopped_runtime_is_taken_for_hung) {
  SmallSystem system({{"one", "p1"}});
  ASSERT_TRUE(system.answers("one"));
  EXPECT_TRUE(hurt(system.partition("p1").pid, SIGSTOP));
  EXPECT_TRUE(system.started("p1", 2, 10'000) && system.answers("one"));
}

TEST(Life, a_refused_model_says_why_and_harms_nobody) {
  SmallSystem system({{"one", "p1", "refuse"}, {"two", "p1"}});
  ASSERT_TRUE(system.answers("two"));
  for (int i = 0; i < 500 && system.enclave("one").state == static_cast<uint32_t>(State::kStarting);
       ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const auto one = system.enclave("one");
  EXPECT_EQ(one.state, static_cast<uint32_t>(State::kRefused));
  EXPECT_EQ(one.reason.view(), "node 'conv1': refused on purpose");
}

TEST(Life, a_model_that_crashes_while_loading_is_given_up_after_a_few_tries) {
  SmallSystem system({{"one", "p1", "crash"}, {"two", "p1"}});
  ASSERT_TRUE(system.answers("two"));
  for (int i = 0; i < 500 && system.enclave("one").state != static_cast<uint32_t>(State::kGivenUp);
       ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(system.enclave("one").state, static_cast<uint32_t>(State::kGivenUp));
  EXPECT_TRUE(system.answers("two")) << "in the same partition";
  EXPECT_EQ(system.partition("p1").epoch, 1u);
}

}  // namespace
}  // namespace casemate::tests
