// SPDX-License-Identifier: Apache-2.0
// Whatever ends, the operator reads why it was started anew: what ended, and how.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using operating::State;

constexpr auto kPatience = std::chrono::seconds(30);
constexpr std::string_view kStranger = "SIGKILL, not by monitor or operator: see the kernel's log";
constexpr std::string_view kOfStranger =
    "its instance died: SIGKILL, not by monitor or operator: see the kernel's log";

class Reasons : public testing::Test {
 protected:
  // Whoever waits for the processor on a busy machine has not failed.
  explicit Reasons(uint32_t hang_ms = 60'000)
      : system_({{"one", "p1"}, {"two", "p2"}}, [=](SystemDescription& d) {
          for (uint32_t p = 0; p < d.partition_count; ++p) d.partitions[p].hang_ms = 60'000;
          d.partitions[1].hang_ms = hang_ms;
          d.enclaves[1].memory_bytes = 64u << 20;
        }) {}

  void SetUp() override { ASSERT_TRUE(system_.answers("one") && system_.answers("two")); }
  // Nobody but the victim was started anew.
  void TearDown() override {
    EXPECT_TRUE(system_.answers("two"));
    EXPECT_EQ(system_.enclave("two").starts, 1u);
    EXPECT_EQ(system_.enclave("two").last_end.view(), "");
    EXPECT_EQ(system_.partition("driver").last_end.view(), "");
  }

  // Why the enclave, or its partition, was started anew, once that is told.
  std::string of_enclave(uint32_t starts, std::string_view expected = "it") {
    eventually(
        [&] {
          const auto one = system_.enclave("one");
          return one.starts >= starts && one.last_end.view().starts_with(expected);
        },
        kPatience);
    return std::string(system_.enclave("one").last_end.view());
  }
  std::string of_partition(uint32_t epoch) {
    eventually(
        [&] {
          const auto p1 = system_.partition("p1");
          return p1.epoch >= epoch && !p1.last_end.view().empty();
        },
        kPatience);
    return std::string(system_.partition("p1").last_end.view());
  }
  pid_t template_of_one() { return template_of(system_.partition("p1").pid); }

  SmallSystem system_;
};

TEST_F(Reasons, of_a_runtime_are_the_signal_that_ended_it) {
  ASSERT_TRUE(hurt(system_.partition("p1").pid, SIGKILL));
  EXPECT_EQ(of_partition(2), "its runtime died: " + std::string(kStranger));
  EXPECT_EQ(system_.enclave("one").last_end.view(), "") << "it was its partition that failed";
}

TEST_F(Reasons, of_a_template_are_the_signal_that_ended_it) {
  // Of other signals from outside the first process of a PID namespace hears nothing.
  ASSERT_TRUE(hurt(template_of_one(), SIGKILL));
  EXPECT_EQ(of_enclave(2), "its template died: " + std::string(kStranger));
}

TEST_F(Reasons, of_an_instance_are_its_exit_code_or_its_signal_as_its_template_saw_it) {
  system_.ask("one", Call::kDie);
  EXPECT_EQ(of_enclave(2), "its instance died: SIGSEGV");
  ASSERT_TRUE(system_.answers("one"));
  ASSERT_TRUE(hurt(instance_of(template_of_one()), SIGKILL));
  EXPECT_EQ(of_enclave(3, kOfStranger), kOfStranger);
  ASSERT_TRUE(system_.answers("one"));
  system_.ask("one", Call::kSin, "execute_program");
  constexpr std::string_view kFilter = "its instance died: SIGSYS, by its system-call filter";
  EXPECT_EQ(of_enclave(4, kFilter), kFilter);
  ASSERT_TRUE(system_.answers("one"));
  system_.ask("one", Call::kExit);
  constexpr std::string_view kExit = "its instance died: exit code ";
  EXPECT_TRUE(of_enclave(5, kExit).starts_with(kExit));
  EXPECT_EQ(system_.partition("p1").last_end.view(), "");
}

TEST_F(Reasons, of_an_enclave_that_takes_all_memory_say_so) {
  if (!limited_by(system_.monitor(), {"memory.limit_in_bytes", "memory.max"}))
    GTEST_SKIP() << "no memory cgroup can be written here, so nothing limits memory";
  system_.ask("one", Call::kTakeMemory, "", 10'000);
  EXPECT_TRUE(of_enclave(2).ends_with(" died: SIGKILL, by the kernel: its memory limit is used up"))
      << of_enclave(2);
  // Not what it died of the next time.
  ASSERT_TRUE(system_.answers("one"));
  ASSERT_TRUE(hurt(instance_of(template_of_one()), SIGKILL));
  EXPECT_EQ(of_enclave(3, kOfStranger), kOfStranger);
}

class Hang : public Reasons {
 protected:
  Hang() : Reasons(1500) {}
};

TEST_F(Hang, is_a_reason_that_names_who_hangs) {
  EXPECT_EQ(code_from(system_.ask("one", Call::kHang, "", 10'000).code), Code::kPartitionFailed);
  EXPECT_EQ(of_partition(2), "enclave one has work and makes no progress");
}

TEST_F(Reasons, of_an_end_on_request_are_the_operator_and_it_is_no_failure) {
  ASSERT_TRUE(system_.kill("p1"));
  EXPECT_EQ(of_partition(2), "the operator ended it");
  ASSERT_TRUE(system_.answers("one"));
  const pid_t before = template_of_one();
  const auto enclave = system_.enclave("one").id;
  ASSERT_TRUE(launch::ask(system_.socket(), operating::Command::kKillEnclave, "", enclave));
  EXPECT_EQ(of_enclave(3, "the operator"), "the operator ended it");
  EXPECT_FALSE(alive(before)) << "its template too, or the same memory would serve again";
  EXPECT_EQ(system_.partition("p1").epoch, 2u) << "its partition goes on";
  EXPECT_EQ(system_.partition("p1").failures, 0u);
  const auto nobody = launch::ask(system_.socket(), operating::Command::kKillEnclave, "", 12345);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace casemate::tests
