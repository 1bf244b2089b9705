// SPDX-License-Identifier: Apache-2.0
// A model that is cut over a device's partition, beside the same model on the processor alone: what
// becomes of the device is nobody's loss but its own. A model of bytes over the simulated
// accelerator, one of reals over an OpenCL device.
#include <gtest/gtest.h>

#include <csignal>

#include "outside/launch/opencl_files.h"
#include "tests/divided/cut_system.h"

namespace casemate::tests {
namespace {

class Divided : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    if (GetParam().device.starts_with("opencl") &&
        !launch::opencl_device_files(launch::kOpenclVendors))
      GTEST_SKIP() << "NOT TESTED: this machine has no OpenCL device to serve models on";
  }
};

INSTANTIATE_TEST_SUITE_P(Over, Divided, testing::Values(Target(), on_opencl()),
                         [](const auto& each) {
                           return each.param.device.substr(0, each.param.device.find(':'));
                         });

TEST_P(Divided, answers_as_the_processor_alone) {
  const Target& target = GetParam();
  const Scratch scratch({"cut", "whole"}, target);
  const ServedSystem system(scratch.models(), target.system());
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system, target.difference_max);
  for (int seed = 0; seed < 5; ++seed) EXPECT_EQ(asker.compare(seed), "");
  EXPECT_TRUE(runs_on_the_accelerator(system, asker, target)) << system.printed();
  const auto status = partition(system, "accelerator");
  EXPECT_EQ(status.device.view(), target.device);
  EXPECT_EQ(status.state, static_cast<uint32_t>(operating::State::kRunning));
  EXPECT_EQ(enclave(system, target.enclave()).kind, static_cast<uint32_t>(EnclaveKind::kDevice));
}

TEST_P(Divided, loses_no_request_when_the_accelerators_partition_is_killed_again_and_again) {
  const Target& target = GetParam();
  const Scratch scratch({"cut", "whole"}, target);
  const ServedSystem system(scratch.models(), target.system());
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system, target.difference_max);
  ASSERT_TRUE(runs_on_the_accelerator(system, asker, target)) << system.printed();
  Load load(system, target);
  for (int i = 0; i < target.kills; ++i) {
    const auto before = partition(system, "accelerator");
    ASSERT_TRUE(hurt(before.pid, SIGKILL)) << before.pid;
    EXPECT_TRUE(load.answered_again());
    EXPECT_TRUE(eventually(
        [&] {
          const auto now = partition(system, "accelerator");
          return now.epoch > before.epoch && now.pid > 0 &&
                 enclave(system, target.enclave()).state ==
                     static_cast<uint32_t>(operating::State::kRunning);
        },
        target.patience))
        << system.printed();
    EXPECT_TRUE(load.answered_again());
  }
  EXPECT_EQ(load.stop(), "");
  EXPECT_TRUE(runs_on_the_accelerator(system, asker, target)) << system.printed();
  for (const char* other : {"gateway", "cut", "whole"})
    EXPECT_EQ(partition(system, other).epoch, 1u) << other;
}

TEST_P(Divided, finds_its_accelerator_again_when_its_own_partition_was_killed) {
  const Target& target = GetParam();
  const Scratch scratch({"cut", "whole"}, target);
  const ServedSystem system(scratch.models(), target.system());
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system, target.difference_max);
  ASSERT_TRUE(runs_on_the_accelerator(system, asker, target)) << system.printed();
  Load load(system, target);
  ASSERT_TRUE(hurt(partition(system, "cut").pid, SIGKILL));
  EXPECT_TRUE(eventually([&] { return partition(system, "cut").epoch == 2; }));
  EXPECT_TRUE(load.answered_again());
  EXPECT_EQ(load.stop(), "");
  EXPECT_TRUE(runs_on_the_accelerator(system, asker, target)) << system.printed();
  EXPECT_EQ(partition(system, "accelerator").epoch, 1u);
}

TEST(DividedBadly, answers_rightly_while_its_accelerator_hangs_and_is_started_again) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), Target().system(), {},
                            scratch.programs("casemate-npu-hang"));
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Load load(system);
  EXPECT_TRUE(eventually([&] { return partition(system, "accelerator").epoch >= 3; }))
      << system.printed();
  EXPECT_TRUE(load.answered_again());
  EXPECT_EQ(load.stop(), "");
  for (const char* other : {"gateway", "cut", "whole"})
    EXPECT_EQ(partition(system, other).epoch, 1u) << other;
}

TEST(DividedBadly, answers_rightly_while_every_job_of_its_accelerator_faults) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), Target().system(), {},
                            scratch.programs("casemate-npu-fault"));
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Load load(system);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(load.answered_again());
  EXPECT_EQ(load.stop(), "");
  EXPECT_EQ(partition(system, "cut").epoch, 1u);
}

TEST_P(Divided, serves_the_system_file_that_shows_it) {
  const Target& target = GetParam();
  const bool npu = target.device == "npu:0";
  std::ifstream file(source_folder() +
                     (npu ? "/systems/accelerator.toml" : "/systems/opencl.toml"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string model = npu ? "quantised" : "network";
  const Scratch scratch({model}, target);
  const ServedSystem system(scratch.models(), text);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system);
  const std::string device = formatted("{}@{}", model, target.device);
  const uint64_t before = enclave(system, device).completed;
  EXPECT_TRUE(eventually(
      [&] {
        const auto answer = asker.ask(model, 3);
        EXPECT_TRUE(answer) << answer.error().text;
        return !answer || enclave(system, device).completed >= before + 3;
      },
      target.patience))
      << system.printed();
}

// What no wall helps against, and THREATS.md says so: the device's answer is the device's word.
TEST(DividedBadly, passes_on_what_its_accelerator_computes_wrongly) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), Target().system(), {},
                            scratch.programs("casemate-npu-wrong-answer"));
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system);
  EXPECT_TRUE(eventually([&] { return asker.compare(1).starts_with("other bits"); }));
}

}  // namespace
}  // namespace casemate::tests
