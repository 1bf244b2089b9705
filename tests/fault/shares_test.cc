// SPDX-License-Identifier: Apache-2.0
// An enclave with a share of its partition that takes all it can: what the kernel counts of it
// stays within its share, and its neighbour in the same partition answers throughout.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/format.h"
#include "tests/fault/processes.h"
#include "tests/system/small_system.h"
#include "wire/abi/share.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using fixture::Call;
using std::chrono::milliseconds;

// Of one core for the whole partition: little, so that even a busy machine has it to give.
constexpr uint32_t kPartitionPercent = 20;
constexpr uint32_t kShare = 50;
constexpr uint32_t kPercent = kPartitionPercent * kShare / 100;
constexpr uint64_t kMemory = 128 << 20;  // of each, as SmallSystem has it

std::string text_in(const fs::path& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  return text;
}

class Shares : public testing::Test {
 protected:
  explicit Shares(uint32_t cpu_percent = kPartitionPercent)
      : system_({{"greedy", "p1"}, {"same", "p1"}}, [=](SystemDescription& d) {
          for (uint32_t p = 0; p < d.partition_count; ++p) d.partitions[p].hang_ms = 20'000;
          for (const uint32_t e : {1, 2}) d.enclaves[e].share = kShare;
          d.partitions[1].device.cpu_percent = cpu_percent;
        }) {}

  void SetUp() override {
    const bool started = system_.answers("greedy");
    if (!started && !limited_by(system_.monitor(), {"pids.max"}))
      GTEST_SKIP() << "no cgroup can be written here, and so no system with shares starts";
    ASSERT_TRUE(started && system_.answers("same"));
    ASSERT_EQ(system_.ask("same", Call::kKeep, "kept").code, 0u);
  }

  // It is still the instance that it was.
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_EQ(system_.text(system_.ask("same", Call::kRecall)), "kept");
    EXPECT_EQ(system_.partition("p1").epoch, 1u);
  }

  // Where the kernel has that file for the share of an enclave, by its number; "" for nowhere.
  fs::path file_of(uint32_t enclave, const std::string& v1, const std::string& v2) {
    for (const std::string& group : groups_of(system_.monitor())) {
      if (!group.ends_with(formatted("/p1/e{}", enclave))) continue;
      for (const std::string& name : {v1, v2}) {
        if (fs::exists(group + "/" + name)) return group + "/" + name;
      }
    }
    return "";
  }

  // Processor time of everybody in an enclave's share.
  milliseconds used_by(uint32_t enclave) {
    milliseconds all{};
    const fs::path share = file_of(enclave, "cpu.cfs_quota_us", "cpu.max").parent_path();
    for (const auto& tree : fs::directory_iterator(share)) {
      std::ifstream members(tree.path() / "cgroup.procs");
      for (pid_t pid = 0; members >> pid;) all += processor_time(pid);
    }
    return all;
  }

  // The most that it ever had.
  uint64_t memory_of(uint32_t enclave) {
    return std::stoull(text_in(file_of(enclave, "memory.max_usage_in_bytes", "memory.peak")));
  }

  SmallSystem system_;
};

TEST_F(Shares, hold_an_enclave_that_takes_all_it_can_to_its_processor_time_and_memory) {
  ASSERT_TRUE(system_.settled());
  EXPECT_NE(system_.ask("greedy", Call::kTakeAll, "sweep 60000", 0).code, 0u);
  EXPECT_TRUE(eventually([&] { return memory_of(1) > kMemory / 2; }, std::chrono::seconds(60)))
      << "it does take memory";
  const auto before = used_by(1);
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration passed{};
  while (passed < std::chrono::seconds(2)) {
    EXPECT_EQ(system_.text(system_.ask("same", Call::kEcho, "hello")), "hello");
    passed = std::chrono::steady_clock::now() - start;
  }
  const auto used = used_by(1) - before;
  const auto allowed = std::chrono::duration_cast<milliseconds>(passed) * kPercent / 100;
  EXPECT_LE(used.count(), allowed.count() * 5 / 4) << "milliseconds";
  EXPECT_GT(used.count(), 0);
  EXPECT_LE(memory_of(1), 2 * kMemory) << "its own and its standby's";
}

TEST_F(Shares, are_in_the_status_as_the_kernel_has_them) {
  for (const uint32_t e : {1, 2}) {
    const auto enclave = system_.enclave(e == 1 ? "greedy" : "same");
    EXPECT_EQ(enclave.share, kShare);
    EXPECT_EQ(enclave.cpu_percent, kPercent);
    EXPECT_EQ(enclave.memory_bytes, kMemory);
    uint64_t quota = 0;
    std::istringstream(text_in(file_of(e, "cpu.cfs_quota_us", "cpu.max"))) >> quota;
    EXPECT_EQ(quota, 1'000u) << "microseconds in each 10 ms: the least, hence the shortest stops";
    std::string cores;
    for (uint32_t core = 0; core < limits::kCores; ++core) {
      if ((enclave.cpu_mask >> core & 1) != 0)
        cores += formatted("{}{}", cores.empty() ? "" : ",", core);
    }
    EXPECT_EQ(text_in(file_of(e, "cpuset.cpus", "cpuset.cpus")), cores);
  }
}

class WholeCores : public Shares {
 protected:
  WholeCores() : Shares(0) {}
};

TEST_F(WholeCores, let_an_enclave_that_takes_all_memory_die_alone) {
  const pid_t instance = instance_of(template_of(system_.partition("p1").pid, 0));
  EXPECT_NE(system_.ask("greedy", Call::kTakeMemory, "", 0).code, 0u);
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(system_.text(system_.ask("same", Call::kEcho, "hello")), "hello");
    return !alive(instance) || HasFailure();
  }));
  EXPECT_LE(memory_of(1), 2 * kMemory) << "its own and its standby's";
  EXPECT_TRUE(system_.answers("greedy")) << "a fresh instance takes its place";
}

TEST_F(WholeCores, are_their_enclaves_alone_and_need_no_quota) {
  if (std::popcount(cores_here()) % 2 != 0) GTEST_SKIP() << "half of these is no whole core";
  EXPECT_EQ(system_.enclave("greedy").cpu_mask & system_.enclave("same").cpu_mask, 0u);
  EXPECT_EQ(system_.enclave("greedy").cpu_mask | system_.enclave("same").cpu_mask, cores_here());
  const std::string quota = text_in(file_of(1, "cpu.cfs_quota_us", "cpu.max"));
  EXPECT_TRUE(quota == "-1" || quota.starts_with("max ")) << quota;
}

}  // namespace
}  // namespace casemate::tests
