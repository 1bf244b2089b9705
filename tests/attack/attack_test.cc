// SPDX-License-Identifier: Apache-2.0
// Every sin of sins/ is committed inside a real jail, twice: by an instance that serves calls, and
// by a template that a hostile model file has taken over. Each must end as its file says, gain
// nothing, and leave the neighbour untouched.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/format.h"
#include "tests/fault/processes.h"
#include "tests/fixture/sin.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

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

// The driver stands behind the gateway's filter and in its place, in a partition of its own.
class AttackByGateway : public testing::TestWithParam<std::string> {};

TEST_P(AttackByGateway, by_a_gateway_gains_nothing) {
  SmallSystem system({{"neighbour", "p1"}}, patient_restarts);
  ASSERT_TRUE(system.answers("neighbour"));
  ASSERT_EQ(system.ask("neighbour", Call::kKeep, "secret").code, 0u);
  const auto answer = system.ask("neighbour", Call::kSinYourself, GetParam());
  EXPECT_EQ(code_from(answer.code), Code::kPlatform)
      << "it should have been killed: " << system.text(answer);
  system.connect();
  ASSERT_TRUE(system.answers("neighbour")) << "a fresh instance takes its place";
  EXPECT_EQ(system.text(system.ask("neighbour", Call::kRecall)), "secret");
}

std::vector<std::string> sins_of_gateways() {
  std::vector<std::string> all;
  for (const auto& [name, sin] : fixture::sins()) {
    if (sin.end == End::kKilled && !fixture::needs_stream(name)) all.push_back(name);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Sins, AttackByGateway, testing::ValuesIn(sins_of_gateways()),
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
  for (const char* name : {"read_host_file",      "read_other_partition",
                           "write_own_root",      "read_proc_mem",
                           "connect_network",     "connect_unix",
                           "make_socketpair",     "trace_process",
                           "read_process_memory", "signal_everybody",
                           "steal_descriptor",    "use_io_uring",
                           "use_userfaultfd",     "load_bpf",
                           "make_namespace",      "enter_namespace",
                           "mount_filesystem",    "move_root",
                           "execute_program",     "fork_process",
                           "call_32_bit",         "call_x32",
                           "open_by_handle",      "change_user",
                           "make_shared_segment"}) {
    all.emplace_back(name);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Sins, AttackAtLoad, testing::ValuesIn(names_at_load()),
                         [](const auto& sin) { return sin.param; });

// True when somebody with the first enclave's user may open it, where nothing is in the way.
bool open_to_anybody(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    const uid_t stranger = 1'879'048'193;
    if (::setresgid(stranger, stranger, stranger) != 0) ::_exit(2);
    if (::setresuid(stranger, stranger, stranger) != 0) ::_exit(2);
    ::_exit(::open(path.c_str(), O_RDONLY) >= 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(AttackOnARoot, by_a_template_that_knows_every_path_of_the_host_gains_nothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can show that the paths lead there otherwise";
  std::string model;
  std::string copy;
  SmallSystem system({{"sinner", "p1"}, {"neighbour", "p2"}}, [&](SystemDescription& d) {
    const fs::path sinner(d.files[0].source.view());
    const fs::path folder = sinner.parent_path().parent_path();
    model = d.files[1].source.view();
    copy = folder / "images/roots/e2/model/model.onnx";
    // Or the folder's mode would be what keeps it out.
    fs::permissions(folder, fs::perms::others_exec, fs::perm_options::add);
    std::ofstream(sinner) << "read_other_partition " << model << " " << copy;
  });
  ASSERT_TRUE(system.answers("neighbour"));
  EXPECT_TRUE(open_to_anybody(model)) << "what would be left to steal";
  // The copies are in the monitor's mount namespace alone.
  EXPECT_TRUE(fs::exists(formatted("/proc/{}/root{}", system.monitor(), copy)));
  EXPECT_TRUE(eventually([&] {
    return system.enclave("sinner").state == static_cast<uint32_t>(operating::State::kRefused);
  }));
  EXPECT_EQ(system.enclave("sinner").reason.view(), "gained nothing");
}

}  // namespace
}  // namespace casemate::tests
