// SPDX-License-Identifier: Apache-2.0
// Every kind of process but the monitor is killed or stopped in turn. Only what was hurt is lost,
// everything runs again, and who called it learns so.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using operating::State;
using std::chrono::milliseconds;

enum class Part { kMos, kTemplate, kInstance };

struct Victim {
  std::string partition;
  Part part;
};

void PrintTo(const Victim& victim, std::ostream* out) { *out << victim.partition; }

void be_patient(SystemDescription& d) {
  for (uint32_t p = 0; p < d.partition_count; ++p) d.partitions[p].hang_ms = 20'000;
}

pid_t pid_of(SmallSystem& system, const Victim& victim) {
  const pid_t mos = system.partition(victim.partition).pid;
  if (victim.part == Part::kMos) return mos;
  return victim.part == Part::kTemplate ? template_of(mos) : instance_of(template_of(mos));
}

class Death : public testing::TestWithParam<Victim> {};

TEST_P(Death, by_sigkill_costs_only_itself) {
  const Victim& victim = GetParam();
  const bool driver = victim.partition == "driver";
  SmallSystem system({{"one", "p1"}, {"two", "p2"}}, be_patient);
  for (const char* model : {"one", "two"}) {
    ASSERT_TRUE(system.answers(model));
    ASSERT_EQ(system.ask(model, Call::kKeep, "kept").code, 0u);
  }
  const pid_t pid = pid_of(system, victim);
  const pid_t neighbour = pid_of(system, {"p2", Part::kInstance});
  ASSERT_GT(pid, 0);
  ASSERT_TRUE(system.settled());
  const Holdings before = calm_holdings_of(system.monitor());
  ASSERT_TRUE(hurt(pid, SIGKILL));
  ASSERT_TRUE(eventually([&] { return !alive(pid); }));
  // Its successor takes the new connection; an instance that ends takes the old one with it.
  if (driver) system.connect();
  EXPECT_TRUE(system.answers("one") && system.answers("two"));
  EXPECT_EQ(system.text(system.ask("one", Call::kRecall)), driver ? "kept" : "");
  EXPECT_EQ(system.text(system.ask("two", Call::kRecall)), "kept") << "the instance that it was";
  EXPECT_EQ(pid_of(system, {"p2", Part::kInstance}), neighbour);
  EXPECT_EQ(system.partition("p2").epoch, 1u);
  EXPECT_EQ(system.partition(victim.partition).epoch, victim.part == Part::kMos ? 2u : 1u);
  Holdings after;
  EXPECT_TRUE(eventually([&] {
    after = holdings_of(system.monitor());
    return after.descriptors == before.descriptors && after.processes == before.processes &&
           after.groups == before.groups && after.mounts == before.mounts;
  })) << "what it held is given back, and its successor holds as much: descriptors "
      << before.descriptors << " and now " << after.descriptors << ", processes "
      << before.processes << " and " << after.processes << ", groups " << before.groups << " and "
      << after.groups << ", mounts " << before.mounts << " and " << after.mounts;
}

INSTANTIATE_TEST_SUITE_P(Of, Death,
                         testing::Values(Victim{"p1", Part::kMos}, Victim{"p1", Part::kTemplate},
                                         Victim{"p1", Part::kInstance},
                                         Victim{"driver", Part::kMos},
                                         Victim{"driver", Part::kTemplate},
                                         Victim{"driver", Part::kInstance}),
                         [](const auto& tested) {
                           const Victim& victim = tested.param;
                           const std::string part = victim.part == Part::kMos        ? "mos"
                                                    : victim.part == Part::kTemplate ? "template"
                                                                                     : "instance";
                           return (victim.partition == "driver" ? "drivers_" : "models_") + part;
                         });

TEST(Hurt, nobody_but_what_this_test_has_started) {
  for (const pid_t pid : {-1, 0, 1, ::getpid(), ::getppid()}) EXPECT_FALSE(hurt(pid, 0)) << pid;
}

TEST(Stop, a_stopped_template_is_found_when_an_instance_is_needed) {
  SmallSystem system({{"one", "p1"}, {"two", "p2"}});
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  const Victim place{"p1", Part::kTemplate};
  const pid_t stopped = pid_of(system, place);
  ASSERT_TRUE(hurt(stopped, SIGSTOP));
  EXPECT_TRUE(system.answers("one")) << "its instance needs it no more";
  const pid_t instance = pid_of(system, {"p1", Part::kInstance});
  ASSERT_TRUE(hurt(instance, SIGKILL));
  ASSERT_TRUE(eventually([&] { return !alive(instance); }));
  EXPECT_TRUE(system.answers("one", 10'000));
  EXPECT_FALSE(alive(stopped));
  EXPECT_EQ(system.partition("p2").epoch, 1u);
}

TEST(Stop, a_stopped_instance_is_found_when_it_has_work) {
  SmallSystem system({{"one", "p1"}, {"two", "p2"}});
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  const pid_t stopped = pid_of(system, {"p1", Part::kInstance});
  ASSERT_TRUE(hurt(stopped, SIGSTOP));
  EXPECT_EQ(code_from(system.ask("one", Call::kEcho, "", 10'000).code), Code::kPartitionFailed);
  EXPECT_TRUE(system.answers("one"));
  EXPECT_FALSE(alive(stopped));
  EXPECT_EQ(system.partition("p2").epoch, 1u);
}

TEST(Share, death_in_the_middle_of_a_write_leaves_nothing_to_read) {
  SmallSystem system({{"one", "p1"}}, be_patient);
  ASSERT_TRUE(system.answers("one"));
  const auto answer = system.ask("one", Call::kWriteHalf);
  EXPECT_EQ(code_from(answer.code), Code::kPartitionFailed);
  EXPECT_EQ(answer.readable, 0u);
  ASSERT_TRUE(system.answers("one"));
  EXPECT_EQ(system.ask("one", Call::kEcho).readable, 0u) << "fresh memory, not the old";
}

TEST(Share, a_kill_during_a_write_fails_the_call_in_flight_and_takes_the_memory_away) {
  for (const Part part : {Part::kMos, Part::kTemplate, Part::kInstance}) {
    SmallSystem system({{"one", "p1"}}, be_patient);
    ASSERT_TRUE(system.answers("one"));
    const pid_t pid = pid_of(system, {"p1", part});
    // Nobody waits for the first call, so the second is in flight behind it.
    ASSERT_EQ(code_from(system.ask("one", Call::kWrite, "", 0).code), Code::kTimedOut);
    std::jthread killer([pid] {
      std::this_thread::sleep_for(milliseconds(200));
      EXPECT_TRUE(hurt(pid, SIGKILL));
    });
    const auto answer = system.ask("one", Call::kEcho, "", 10'000);
    EXPECT_EQ(code_from(answer.code), Code::kPartitionFailed);
    EXPECT_EQ(answer.readable, 0u);
    ASSERT_TRUE(system.answers("one"));
    EXPECT_EQ(system.ask("one", Call::kEcho).readable, 0u) << "fresh memory, not the old";
  }
}

TEST(Share, a_living_model_s_memory_can_be_read) {
  // What the two above rely on: their zeros are not because nothing is ever there.
  SmallSystem system({{"one", "p1"}}, be_patient);
  ASSERT_TRUE(system.answers("one"));
  ASSERT_EQ(code_from(system.ask("one", Call::kWrite, "", 0).code), Code::kTimedOut);
  EXPECT_GT(system.ask("one", Call::kEcho, "", 500).readable, 0u);
}

}  // namespace
}  // namespace casemate::tests
