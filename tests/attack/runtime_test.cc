// SPDX-License-Identifier: Apache-2.0
// Runtimes that lie to the monitor. A partition's first process is its own to lose: whatever it
// says or does not say, the neighbour keeps its instance, the driver its streams, and the monitor
// its descriptors.
#include <gtest/gtest.h>

#include <map>

#include "tests/fault/processes.h"
#include "tests/fixture/sin.h"
#include "tests/system/small_system.h"
#include "wire/control/control.h"

namespace casemate::tests {
namespace {

using control::Type;
using fixture::Call;
using operating::State;

// How a runtime asks, and what it hears.
using Question = std::pair<const char*, const char*>;

constexpr uint32_t kFailures = 12;
// Asks for a key that its template has not asked for.
constexpr std::string_view kLockedStandby = "standby-16";

// The second partition lies, in the way that its name says.
struct LyingSystem {
  explicit LyingSystem(const std::string& how, uint32_t failures_max = kFailures)
      : system({{"liar", how}, {"neighbour", "p2"}}, [=](SystemDescription& d) {
          for (uint32_t p = 0; p < d.partition_count; ++p) {
            d.partitions[p].failures_max = failures_max;
            d.partitions[p].hang_ms = 20'000;
            d.partitions[p].backoff_ms_first = 5;
            d.partitions[p].backoff_ms_max = 20;
          }
          // Nothing moves by itself but what lies.
          d.partitions[0].standby = d.partitions[2].standby = 0;
          d.partitions[1].program = d.enclaves[0].program;  // the fixture in a mOS's place
          d.partitions[1].standby = how.starts_with("standby") ? 1 : 0;
          if (how == kLockedStandby) d.enclaves[1].flags |= EnclaveDescription::kSealed;
        }) {}
  [[nodiscard]] State liar() { return static_cast<State>(system.enclave("liar").state); }
  // What it reported through a refusal.
  std::string reported() {
    EXPECT_TRUE(eventually([&] { return liar() == State::kRefused; }));
    return std::string(system.enclave("liar").reason.view());
  }
  SmallSystem system;
};

// Descriptors of a monitor that has given a partition up which did nothing but end.
size_t descriptors_without_liar() {
  LyingSystem quiet("exit");
  EXPECT_TRUE(eventually([&] { return quiet.liar() == State::kGivenUp; }));
  EXPECT_TRUE(quiet.system.answers("neighbour"));
  return calm_holdings_of(quiet.system.monitor()).descriptors;
}

// Expects that these lies get a partition given up and do nothing else to anybody.
void expect_costs_itself_alone(const std::string& how) {
  LyingSystem lying(how);
  SmallSystem& system = lying.system;
  ASSERT_TRUE(system.answers("neighbour"));
  ASSERT_EQ(system.ask("neighbour", Call::kKeep, "kept").code, 0u);
  EXPECT_TRUE(eventually([&] { return lying.liar() == State::kGivenUp; }));
  EXPECT_GE(system.partition(how).failures, kFailures);
  EXPECT_EQ(system.text(system.ask("neighbour", Call::kRecall)), "kept")
      << "the neighbour is the instance it was";
  for (const char* other : {"driver", "p2"}) {
    EXPECT_EQ(system.partition(other).failures, 0u) << other;
    EXPECT_EQ(system.partition(other).epoch, 1u) << other;
  }
  // In the end: what was killed holds its descriptors here until the kernel has taken it apart.
  const size_t without = descriptors_without_liar();
  EXPECT_TRUE(eventually([&] { return holdings_of(system.monitor()).descriptors <= without; }))
      << holdings_of(system.monitor()).descriptors << " instead of " << without;
}

class LyingRuntime : public testing::TestWithParam<std::string> {};

TEST_P(LyingRuntime, costs_its_own_partition_alone) { expect_costs_itself_alone(GetParam()); }

std::vector<std::string> fatal_lies() {
  std::vector<std::string> all = {"short",
                                  "long",
                                  "byte",
                                  "huge",
                                  "name",
                                  "reason",
                                  "attest-flood",
                                  "descriptors-and-lie",
                                  "too-many-descriptors"};
  // Every type about somebody else's enclave, and about one that does not exist.
  for (uint32_t type = 0; type <= static_cast<uint32_t>(Type::kUnlock) + 1; ++type) {
    all.push_back("stranger-" + std::to_string(type));
    all.push_back("nobody-" + std::to_string(type));
  }
  // About its own, what only the monitor may say, and what nobody may.
  for (const Type type :
       {Type::kManifest, Type::kAdopt, Type::kFork, Type::kConnect, Type::kDisconnect,
        Type::kAttested, Type::kStop, Type::kPing, Type::kPrepare, Type::kUnlock})
    all.push_back("own-" + std::to_string(static_cast<uint32_t>(type)));
  for (const char* type : {"own-0", "own-18", "own-4294967295"}) all.emplace_back(type);
  // It asks for a key, and its model is not sealed.
  all.push_back("own-" + std::to_string(static_cast<uint32_t>(Type::kLocked)));
  return all;
}

std::string name_in(const std::string& lie) { return lie; }
std::string name_in(const Question& lie) { return lie.first; }

template <class Lie>
std::string title_of(const testing::TestParamInfo<Lie>& tested) {
  std::string title = name_in(tested.param);
  std::ranges::replace(title, '-', '_');
  return title;
}

INSTANTIATE_TEST_SUITE_P(Lies, LyingRuntime, testing::ValuesIn(fatal_lies()),
                         title_of<std::string>);

// What is no lie by itself, but said too early, too often or about too much: with what the runtime
// then hears from the monitor.
class EagerRuntime : public testing::TestWithParam<Question> {};

TEST_P(EagerRuntime, gets_no_more_than_it_is_due) {
  const auto [how, heard] = GetParam();
  LyingSystem lying(how);
  EXPECT_EQ(lying.reported(), heard);
  EXPECT_TRUE(lying.system.answers("neighbour"));
  EXPECT_EQ(lying.system.partition(how).failures, 0u);
  EXPECT_NE(lying.system.ask("liar", Call::kEcho).code, 0u);
}

INSTANTIATE_TEST_SUITE_P(Questions, EagerRuntime,
                         testing::Values(std::pair("running-first", "nothing came"),
                                         std::pair("ready-twice", "1 to fork"),
                                         std::pair("died-first", "0 to fork"),
                                         std::pair("attest-own", "ok, with a token"),
                                         std::pair("attest-stranger", "denied"),
                                         std::pair("attest-caller", "denied"),
                                         std::pair("attest-nobody", "denied")),
                         title_of<Question>);

TEST(RuntimeThatReportsDeaths, without_end_is_given_up_and_nobody_else_is) {
  for (const char* how : {"died-again", "died-flood"}) {
    LyingSystem lying(how);
    ASSERT_TRUE(lying.system.answers("neighbour"));
    ASSERT_EQ(lying.system.ask("neighbour", Call::kKeep, "kept").code, 0u);
    EXPECT_TRUE(eventually([&] { return lying.liar() == State::kGivenUp; })) << how;
    EXPECT_EQ(lying.system.text(lying.system.ask("neighbour", Call::kRecall)), "kept");
    EXPECT_EQ(lying.system.partition("p2").failures, 0u);
  }
}

TEST(RuntimeThatTalksWithoutEnd, keeps_nobody_waiting_and_leaves_no_descriptor) {
  for (const char* how : {"pong-flood", "descriptors"}) {
    LyingSystem lying(how);
    SmallSystem& system = lying.system;
    ASSERT_TRUE(system.answers("neighbour"));
    const size_t before = holdings_of(system.monitor()).descriptors;
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(system.text(system.ask("neighbour", Call::kEcho, "still here")), "still here");
    // While it talks, those of one message may be on their way.
    EXPECT_LE(holdings_of(system.monitor()).descriptors, before + control::Message::kFds) << how;
    EXPECT_EQ(system.partition("p2").failures, 0u);
  }
}

TEST(RuntimeOfAStandby, that_lies_costs_the_standby_and_not_what_serves) {
  for (const Type type : {Type::kRunning, Type::kDied, Type::kAttest, Type::kStop, Type::kLocked}) {
    const std::string how = "standby-" + std::to_string(static_cast<uint32_t>(type));
    LyingSystem lying(how);
    EXPECT_TRUE(eventually([&] { return lying.liar() == State::kRunning; }));
    EXPECT_TRUE(eventually([&] { return lying.system.partition(how).standby != 0; }));
    EXPECT_TRUE(eventually([&] { return lying.system.partition(how).standby == 0; })) << how;
    EXPECT_EQ(lying.liar(), State::kRunning);
    EXPECT_EQ(lying.system.partition(how).epoch, 1u);
    EXPECT_EQ(lying.system.partition(how).failures, 0u);
    EXPECT_TRUE(lying.system.answers("neighbour"));
  }
}

// The sins again, committed behind a runtime's filter.
class AttackByRuntime : public testing::TestWithParam<std::string> {};

TEST_P(AttackByRuntime, by_a_runtime_gains_nothing) {
  LyingSystem lying("sin-" + GetParam(), 2);
  EXPECT_TRUE(eventually(
      [&] { return lying.liar() == State::kGivenUp || lying.liar() == State::kRefused; }));
  if (lying.liar() == State::kRefused) {
    EXPECT_EQ(lying.system.enclave("liar").reason.view(), "gained nothing");
  }
  EXPECT_TRUE(lying.system.answers("neighbour"));
  EXPECT_EQ(lying.system.partition("p2").failures, 0u);
}

std::vector<std::string> sins_of_runtimes() {
  std::vector<std::string> all;
  for (const auto& [name, sin] : fixture::sins()) {
    // A runtime makes the control sockets of its instances.
    if (sin.end == fixture::End::kKilled && !fixture::needs_stream(name) &&
        name != "make_socketpair")
      all.push_back(name);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Sins, AttackByRuntime, testing::ValuesIn(sins_of_runtimes()),
                         [](const auto& sin) { return sin.param; });

}  // namespace
}  // namespace casemate::tests
