// SPDX-License-Identifier: Apache-2.0
// Every sin of sins/ is committed inside a real jail, twice: by an instance that serves calls, and
// by a template that a hostile model file has taken over. Each must end as its file says, gain
// nothing, and leave the neighbour untouched.
#include <gtest/gtest.h>

#include "tests/fixture/sin.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using fixture::End;

class Attack : public testing::TestWithParam<std::string> {};

void patient_restarts(SystemDescription& d) {
  for (uint32_t p = 0; p < d.partition_count; ++p) d.partitions[p].failures_max = 1000;
}

TEST_P(Attack, by_an_instance_gains_nothing) {
  const fixture::Sin& sin = fixture::sins().at(GetParam());
  SmallSystem system({{"sinner", "p1"}, {"neighbour", "p2"}}, patient_restarts);
  ASSERT_TRUE(system.answers("sinner") && system.answers("neighbour"));
  ASSERT_EQ(system.ask("neighbour", Call::kKeep, "secret").code, 0u);
  const auto answer = system.ask("sinner", Call::kSin, GetParam());
  EXPECT_EQ(system.text(answer), "");
  if (sin.end == End::kRefused) {
    EXPECT_EQ(code_from(answer.code), Code::kOk) << "it should have been refused and lived on";
  } else {
    EXPECT_EQ(code_from(answer.code), Code::kPartitionFailed);
  }
  EXPECT_EQ(system.text(system.ask("neighbour", Call::kRecall)), "secret")
      << "the neighbour is the instance it was";
  if (sin.end == End::kKilled) {
    EXPECT_TRUE(system.answers("sinner")) << "a fresh instance takes its place";
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, sin] : fixture::sins()) all.push_back(name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Sins, Attack, testing::ValuesIn(names()),
                         [](const auto& sin) { return sin.param; });

// A template still loads files and generates code, so it may do more; what it gains must still be
// nothing of others'.
class AttackAtLoad : public testing::TestWithParam<std::string> {};

TEST_P(AttackAtLoad, by_a_template_gains_nothing) {
  SmallSystem system({{"sinner", "p1", GetParam()}, {"neighbour", "p2"}});
  ASSERT_TRUE(system.answers("neighbour"));
  EXPECT_FALSE(system.answers("sinner", 300));
  const auto sinner = system.enclave("sinner");
  if (sinner.state == static_cast<uint32_t>(operating::State::kRefused)) {
    EXPECT_EQ(sinner.reason.view(), "gained nothing");
  } else {
    EXPECT_NE(sinner.state, static_cast<uint32_t>(operating::State::kRunning));
  }
}

std::vector<std::string> names_at_load() {
  // Left out: what a template is meant to do (code, its own files and memory), and sins against
  // streams it has not got.
  std::vector<std::string> all;
  for (const char* name :
       {"read_host_file",   "read_other_partition", "read_proc_mem",   "connect_network",
        "connect_unix",     "make_socketpair",      "trace_process",   "read_process_memory",
        "signal_everybody", "steal_descriptor",     "use_io_uring",    "use_userfaultfd",
        "load_bpf",         "make_namespace",       "enter_namespace", "mount_filesystem",
        "move_root",        "execute_program",      "fork_process",    "call_32_bit",
        "call_x32",         "open_by_handle",       "change_user",     "make_shared_segment"}) {
    all.emplace_back(name);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Sins, AttackAtLoad, testing::ValuesIn(names_at_load()),
                         [](const auto& sin) { return sin.param; });

}  // namespace
}  // namespace casemate::tests
