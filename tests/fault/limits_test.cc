// SPDX-License-Identifier: Apache-2.0
// Enclaves that take all they can of memory, processor, processes, descriptors and their runtime's
// patience. Each costs itself at most; its neighbour answers throughout, from the same instance.
#include <gtest/gtest.h>

#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using operating::State;
using std::chrono::milliseconds;

constexpr uint64_t kHogBytes = 64u << 20;
constexpr uint32_t kQuotaPercent = 20;

// Greed takes a while, and is no hang.
void be_patient(SystemDescription& d) {
  for (uint32_t p = 0; p < d.partition_count; ++p) d.partitions[p].hang_ms = 20'000;
}

class Limits : public testing::Test {
 protected:
  // "greedy" and "same" share a partition; "other" has its own.
  explicit Limits(const std::string& behaviour = "fine", const SmallSystem::Adjust& adjust = {})
      : system_({{"greedy", "p1", behaviour}, {"same", "p1"}, {"other", "p2"}},
                [&](SystemDescription& d) {
                  be_patient(d);
                  d.enclaves[1].memory_bytes = kHogBytes;
                  if (adjust) adjust(d);
                }) {}

  void SetUp() override {
    for (const char* neighbour : {"same", "other"}) {
      ASSERT_TRUE(system_.answers(neighbour));
      ASSERT_EQ(system_.ask(neighbour, Call::kKeep, neighbour).code, 0u);
    }
  }

  // Both are still the instances that they were.
  void TearDown() override {
    for (const char* neighbour : {"same", "other"})
      EXPECT_EQ(system_.text(system_.ask(neighbour, Call::kRecall)), neighbour);
    EXPECT_EQ(system_.partition("p1").epoch, 1u);
    EXPECT_EQ(system_.partition("p2").epoch, 1u);
  }

  // Asks both, over and over, until `done()`.
  template <class Done>
  void neighbours_answer_until(Done done) {
    EXPECT_TRUE(eventually([&] {
      for (const char* neighbour : {"same", "other"})
        EXPECT_EQ(system_.ask(neighbour, Call::kEcho, "hello").code, 0u) << neighbour;
      return done() || HasFailure();
    }));
  }

  // Nobody waits for it; what ends it may be quicker than the question.
  void start(Call call, const std::string& argument = "") {
    EXPECT_NE(system_.ask("greedy", call, argument, 0).code, 0u);
  }

  bool given_up() {
    return system_.enclave("greedy").state == static_cast<uint32_t>(State::kGivenUp);
  }

  SmallSystem system_;
};

TEST_F(Limits, an_enclave_that_takes_all_memory_is_ended_and_comes_back) {
  ASSERT_TRUE(system_.answers("greedy"));
  if (!limited_by(system_.monitor(), {"memory.limit_in_bytes", "memory.max"})) {
    // Without a group the limit is one on the process, which is told instead of ended.
    EXPECT_EQ(system_.text(system_.ask("greedy", Call::kTakeMemory)), "refused");
    return;
  }
  const pid_t instance = instance_of(template_of(system_.partition("p1").pid, 0));
  start(Call::kTakeMemory);
  neighbours_answer_until([&] { return !alive(instance); });
  EXPECT_TRUE(system_.answers("greedy")) << "a fresh instance takes its place";
}

TEST_F(Limits, an_enclave_that_starts_threads_without_end_is_refused_more) {
  ASSERT_TRUE(system_.answers("greedy"));
  if (!limited_by(system_.monitor(), {"pids.max"}))
    GTEST_SKIP() << "no pids cgroup can be written here, so nothing limits threads";
  const std::string threads = system_.text(system_.ask("greedy", Call::kStartThreads));
  ASSERT_FALSE(threads.empty());
  EXPECT_GE(std::stoi(threads), 1);
  EXPECT_LT(std::stoi(threads), 8) << "its template counts too";
  EXPECT_EQ(system_.text(system_.ask("greedy", Call::kEcho, "hello")), "hello");
}

TEST_F(Limits, an_enclave_that_floods_its_runtime_delays_nobody) {
  ASSERT_TRUE(system_.answers("greedy"));
  const pid_t instance = instance_of(template_of(system_.partition("p1").pid, 0));
  start(Call::kFlood);
  neighbours_answer_until([&, rounds = 0]() mutable {
    EXPECT_GT(system_.status().enclave_count, 0u) << "the operator is answered";
    return ++rounds >= 50 && !alive(instance);
  });
  EXPECT_TRUE(system_.answers("greedy")) << "a fresh instance takes its place";
}

TEST_F(Limits, an_instance_that_plays_dead_does_not_outlive_its_successor) {
  ASSERT_TRUE(system_.answers("greedy"));
  const pid_t instance = instance_of(template_of(system_.partition("p1").pid, 0));
  start(Call::kLeave);
  neighbours_answer_until([&] { return !alive(instance); });
  EXPECT_TRUE(system_.answers("greedy")) << "a fresh instance takes its place";
}

class MemoryAtLoad : public Limits {
 protected:
  MemoryAtLoad() : Limits("take memory") {}
};

TEST_F(MemoryAtLoad, a_template_that_takes_all_memory_is_given_up_after_a_few_tries) {
  if (!limited_by(system_.monitor(), {"memory.limit_in_bytes", "memory.max"}))
    GTEST_SKIP() << "no memory cgroup can be written here: the template is refused, not ended";
  neighbours_answer_until([&] { return given_up(); });
}

class FilesAtLoad : public Limits {
 protected:
  FilesAtLoad() : Limits("open files") {}
};

TEST_F(FilesAtLoad, a_template_that_keeps_every_descriptor_costs_only_itself) {
  const auto loaded = [&](const char* name) { return system_.partition(name).standby == 2; };
  ASSERT_TRUE(eventually([&] { return loaded("driver") && loaded("p2"); }));
  const size_t before = calm_holdings_of(system_.monitor()).descriptors;
  neighbours_answer_until([&] { return given_up(); });
  ASSERT_TRUE(system_.settled());
  // Its partition's standby has come since, and its files have not: five for each stream that it
  // had in each of its lives.
  EXPECT_LE(calm_holdings_of(system_.monitor()).descriptors, before + 20);
}

class Quota : public Limits {
 protected:
  Quota()
      : Limits("fine",
               [](SystemDescription& d) { d.partitions[1].device.cpu_percent = kQuotaPercent; }) {}
};

TEST_F(Quota, a_partition_that_spins_is_held_to_its_share_of_the_processor) {
  ASSERT_TRUE(system_.answers("greedy"));
  if (!limited_by(system_.monitor(), {"cpu.cfs_quota_us", "cpu.max"}))
    GTEST_SKIP() << "no cpu cgroup can be written here, so nothing limits processor time";
  const auto time = [&] {
    milliseconds all{};
    for (const pid_t pid : descendants(system_.monitor())) all += processor_time(pid);
    return all;
  };
  start(Call::kSpin, "1500");
  const auto before = time();
  const auto start = std::chrono::steady_clock::now();
  // Not asked meanwhile: what the neighbours and the driver use would be counted too.
  std::this_thread::sleep_for(milliseconds(1000));
  const auto used = time() - before;
  const auto passed = std::chrono::steady_clock::now() - start;
  EXPECT_LT(used.count(), 2 * kQuotaPercent * passed / milliseconds(100)) << "milliseconds";
  EXPECT_EQ(system_.ask("other", Call::kEcho, "hello").code, 0u);
}

}  // namespace
}  // namespace casemate::tests
