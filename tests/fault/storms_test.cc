// SPDX-License-Identifier: Apache-2.0
// Failures without end: the monitor waits longer each time, gives up when it was told to, and holds
// after hundreds of them what it held after the first.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/format.h"
#include "tests/fault/faults.h"
#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using operating::State;
using std::chrono::milliseconds;

constexpr auto kLong = milliseconds(60'000);

SmallSystem::Adjust restarts(uint32_t failures_max, milliseconds backoff_max) {
  return [=](SystemDescription& d) {
    for (uint32_t p = 0; p < d.partition_count; ++p) {
      d.partitions[p].failures_max = failures_max;
      d.partitions[p].backoff_ms_first = 1;
      d.partitions[p].backoff_ms_max = static_cast<uint32_t>(backoff_max.count());
      d.partitions[p].stable_ms = kLong.count();  // no life is long enough to be forgiven
      d.partitions[p].hang_ms = kLong.count();
    }
  };
}

State state_of(const operating::PartitionStatus& partition) {
  return static_cast<State>(partition.state);
}

TEST(Storm, a_partition_that_is_killed_as_soon_as_it_is_up_is_given_up_as_configured) {
  constexpr uint32_t kFailures = 30;
  SmallSystem system({{"one", "p1"}, {"two", "p2"}}, restarts(kFailures, milliseconds(10)));
  ASSERT_TRUE(system.answers("two"));
  ASSERT_EQ(system.ask("two", Call::kKeep, "kept").code, 0u);
  for (uint32_t round = 1; round <= kFailures + 1; ++round) {
    ASSERT_TRUE(system.started("p1", round)) << round;
    const auto up = system.partition("p1");
    ASSERT_EQ(up.epoch, round) << "one start for each failure";
    EXPECT_TRUE(hurt(up.pid, SIGKILL));
    ASSERT_TRUE(eventually([&] { return system.partition("p1").failures == round; }));
  }
  EXPECT_EQ(state_of(system.partition("p1")), State::kGivenUp);
  EXPECT_EQ(system.enclave("one").state, static_cast<uint32_t>(State::kGivenUp));
  // The driver hears of it when it next listens.
  EXPECT_TRUE(eventually(
      [&] { return code_from(system.ask("one", Call::kEcho).code) == Code::kUnavailable; }));
  EXPECT_EQ(system.text(system.ask("two", Call::kRecall)), "kept");
  EXPECT_EQ(system.kill("p1").error().code, Code::kUnavailable);
  EXPECT_EQ(system.partition("p1").epoch, kFailures + 1) << "nobody starts it again";
}

TEST(Storm, the_waits_between_restarts_double_up_to_the_configured_one) {
  SmallSystem system({{"one", "p1"}}, [](SystemDescription& d) {
    restarts(6, milliseconds(400))(d);
    d.partitions[1].backoff_ms_first = 100;
  });
  ASSERT_TRUE(system.answers("one"));
  const auto start = std::chrono::steady_clock::now();
  for (uint32_t round = 1; round <= 6; ++round) {
    ASSERT_TRUE(system.started("p1", round));
    EXPECT_TRUE(hurt(system.partition("p1").pid, SIGKILL));
  }
  ASSERT_TRUE(system.started("p1", 7));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(0 + 100 + 200 + 3 * 400));
}

TEST(Storm, a_template_that_dies_counts_once_although_its_instance_dies_with_it) {
  constexpr uint32_t kFailures = 6;
  SmallSystem system({{"one", "p1"}, {"two", "p1"}}, restarts(kFailures, milliseconds(10)));
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  ASSERT_EQ(system.ask("two", Call::kKeep, "kept").code, 0u);
  for (uint32_t round = 1; round <= kFailures; ++round) {
    ASSERT_TRUE(system.answers("one")) << round;
    // Two templates: the one that was started last is the one that is killed all the time, but for
    // the first time.
    const pid_t victim = template_of(system.partition("p1").pid, round == 1 ? 0 : 1);
    ASSERT_TRUE(hurt(victim, SIGKILL)) << round;
    // Its instance may answer once more before both are gone.
    ASSERT_TRUE(eventually([&] { return !alive(victim); }));
    ASSERT_TRUE(system.answers("one")) << round;
  }
  EXPECT_EQ(system.text(system.ask("two", Call::kRecall)), "kept");
  EXPECT_TRUE(hurt(template_of(system.partition("p1").pid, 1), SIGKILL));
  EXPECT_TRUE(eventually(
      [&] { return system.enclave("one").state == static_cast<uint32_t>(State::kGivenUp); }));
}

TEST(Storm, a_partition_that_talks_to_itself_fails_once_at_a_time) {
  // Its streams end where they begin, so telling the survivor finds it dead as well.
  SmallSystem system({{"one", "p1"}}, [](SystemDescription& d) {
    restarts(100, milliseconds(10))(d);
    d.enclaves[0].partition = 1;
  });
  ASSERT_TRUE(system.answers("one"));
  EXPECT_TRUE(hurt(system.partition("p1").pid, SIGKILL));
  ASSERT_TRUE(system.started("p1", 2));
  system.connect();
  EXPECT_TRUE(system.answers("one"));
  EXPECT_EQ(system.partition("p1").failures, 1u);
}

size_t descriptors_of(pid_t pid) {
  std::error_code error;
  return static_cast<size_t>(std::ranges::distance(
      std::filesystem::directory_iterator(formatted("/proc/{}/fd", pid), error),
      std::filesystem::directory_iterator()));
}

// What the monitor holds, and what those hold who lived through it all.
struct Footprint {
  Holdings monitor;
  size_t grants = 0;
  std::map<pid_t, size_t> descriptors;
  std::map<pid_t, size_t> memory_kib;
};

Footprint footprint_of(SmallSystem& system, const std::vector<pid_t>& survivors) {
  EXPECT_TRUE(system.settled(20'000));
  Footprint footprint{
      calm_holdings_of(system.monitor()), grants_of(system.monitor()).size(), {}, {}};
  for (const pid_t pid : survivors) {
    footprint.descriptors[pid] = descriptors_of(pid);
    footprint.memory_kib[pid] = resident_kib(pid);
  }
  return footprint;
}

void print(const char* when, const Footprint& f) {
  std::printf("%s: %zu descriptors, %zu mounts, %zu processes, %zu groups, %zu KiB, %zu grants",
              when, f.monitor.descriptors, f.monitor.mounts, f.monitor.processes, f.monitor.groups,
              f.monitor.memory_kib, f.grants);
  for (const auto& [pid, count] : f.descriptors)
    std::printf("; survivor %d: %zu descriptors, %zu KiB", pid, count, f.memory_kib.at(pid));
  std::printf("\n");
}

void expect_no_more(const Footprint& after, const Footprint& before) {
  EXPECT_LE(after.monitor.descriptors, before.monitor.descriptors);
  EXPECT_LE(after.monitor.processes, before.monitor.processes);
  EXPECT_EQ(after.monitor.mounts, before.monitor.mounts);
  EXPECT_EQ(after.monitor.groups, before.monitor.groups);
  EXPECT_LE(after.monitor.memory_kib, before.monitor.memory_kib + 512);
  EXPECT_EQ(after.grants, before.grants) << "memory files of streams";
  EXPECT_EQ(after.descriptors, before.descriptors) << "of the survivors";
  for (const auto& [pid, kib] : before.memory_kib) EXPECT_LE(after.memory_kib.at(pid), kib + 512);
}

// How often: as often as 10 s allow, or CASEMATE_ROUNDS times.
TEST(Storm, hundreds_of_restarts_leave_the_monitor_as_it_was) {
  const char* asked = std::getenv("CASEMATE_ROUNDS");
  const uint32_t rounds_max = asked != nullptr ? static_cast<uint32_t>(std::atoi(asked)) : 300;
  constexpr uint32_t kWarm = 30;
  SmallSystem system({{"one", "p1"}, {"two", "p2"}, {"three", "p2"}},
                     restarts(1'000'000, milliseconds(1)));
  ASSERT_TRUE(system.answers("one") && system.answers("two") && system.answers("three"));
  ASSERT_EQ(system.ask("two", Call::kKeep, "kept").code, 0u);
  std::vector<pid_t> survivors;
  for (const char* partition : {"driver", "p2"}) {
    for (const Who who : {Who::kMos, Who::kTemplate, Who::kInstance})
      survivors.push_back(find(system, partition, who));
  }
  Footprint before;
  const auto start = std::chrono::steady_clock::now();
  uint32_t rounds = 0;
  const auto time = [&] {
    return asked != nullptr || rounds < kWarm + 10 ||
           std::chrono::steady_clock::now() - start < std::chrono::seconds(10);
  };
  while (rounds < rounds_max && time()) {
    ++rounds;
    const pid_t mos = system.partition("p1").pid;
    const pid_t victims[] = {mos, template_of(mos), instance_of(template_of(mos))};
    const pid_t victim = victims[rounds % 3];
    ASSERT_TRUE(hurt(victim, SIGKILL)) << rounds;
    ASSERT_TRUE(eventually([&] { return !alive(victim); }));
    ASSERT_TRUE(system.answers("one", 20'000)) << rounds;
    if (rounds == kWarm) before = footprint_of(system, survivors);
  }
  ASSERT_GT(rounds, kWarm);
  Footprint after;
  EXPECT_TRUE(eventually([&] {
    after = footprint_of(system, survivors);
    return after.monitor.descriptors <= before.monitor.descriptors &&
           after.monitor.processes <= before.monitor.processes && after.grants == before.grants;
  }));
  expect_no_more(after, before);
  print(formatted("after {} rounds", kWarm).c_str(), before);
  print(formatted("after {} rounds", rounds).c_str(), after);
  EXPECT_EQ(system.text(system.ask("two", Call::kRecall)), "kept");
  RecordProperty("rounds", static_cast<int>(rounds));
}

}  // namespace
}  // namespace casemate::tests
