// SPDX-License-Identifier: Apache-2.0
// Unmodified programs print the same through the driver as on the machine's own OpenCL.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/opencl/pair.h"

namespace casemate::opencl {
namespace {

std::string folder(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "." : value;
}

std::string text_in(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class OpenCl : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("POCL_CACHE_DIR", (build_ + "/opencl/cache").c_str(), 1);
    output_ = testing::TempDir() + "opencl-" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::ranges::replace(output_.begin() + static_cast<std::ptrdiff_t>(testing::TempDir().size()),
                         output_.end(), '/', '-');
    options_.driver = build_ + "/bin/libcasemate_opencl.so";
    options_.output = output_ + ".ours";
  }
  void TearDown() override {
    std::remove((output_ + ".ours").c_str());
    std::remove((output_ + ".native").c_str());
  }
  [[nodiscard]] std::string program(const std::string& name) const {
    return build_ + "/opencl/opencl_" + name;
  }
  void expect_same(const std::vector<std::string>& command) {
    const auto natively = run_natively(command, output_ + ".native");
    ASSERT_TRUE(natively) << natively.error().text;
    const auto ours = run_pair(command, options_);
    ASSERT_TRUE(ours) << ours.error().text;
    const std::string expected = text_in(output_ + ".native");
    EXPECT_EQ(text_in(output_ + ".ours"), expected);
    EXPECT_EQ(*natively, 0) << expected;
    EXPECT_EQ(*ours, 0);
    EXPECT_GT(std::ranges::count(expected, '\n'), 0);
  }

  std::string build_ = folder("CASEMATE_BUILD");
  std::string output_;
  PairOptions options_;
};

TEST_F(OpenCl, buffers_hold_what_they_hold_natively) { expect_same({program("buffers")}); }
TEST_F(OpenCl, buffers_larger_than_the_stream_s_memory_go_in_pieces) {
  options_.bulk_bytes = 1 << 20;
  expect_same({program("buffers")});
}
TEST_F(OpenCl, events_queues_and_callbacks_work_as_natively) { expect_same({program("events")}); }
TEST_F(OpenCl, images_hold_what_they_hold_natively) { expect_same({program("images")}); }
TEST_F(OpenCl, images_larger_than_the_stream_s_memory_go_in_pieces) {
  options_.bulk_bytes = 64 << 10;
  expect_same({program("images")});
}
TEST_F(OpenCl, programs_kernels_and_binaries_work_as_natively) {
  expect_same({program("programs")});
}

class Rodinia : public OpenCl, public testing::WithParamInterface<const char*> {};

TEST_P(Rodinia, computes_what_it_computes_natively) {
  expect_same({build_ + "/opencl/rodinia_" + GetParam()});
}

INSTANTIATE_TEST_SUITE_P(Nine, Rodinia,
                         testing::Values("backprop", "bfs", "gaussian", "hotspot", "lud", "nn",
                                         "nw", "pathfinder", "srad"),
                         [](const auto& instance) { return std::string(instance.param); });

// What the stream is compared with in benchmarks computes the same.
TEST_F(OpenCl, calls_that_are_encrypted_one_by_one_have_the_same_results) {
  options_.driver = build_ + "/bin/libcasemate_opencl_lockstep.so";
  options_.lockstep = true;
  for (const char* name : {"buffers", "programs"}) expect_same({program(name)});
  expect_same({build_ + "/opencl/rodinia_nw"});
}

TEST_F(OpenCl, clinfo_finds_one_device_and_no_more_than_the_driver_carries) {
  const auto code = run_pair({"clinfo"}, options_);
  ASSERT_TRUE(code) << code.error().text;
  EXPECT_EQ(*code, 0);
  const std::string text = text_in(options_.output);
  EXPECT_TRUE(text.contains("OpenCL 1.2 Casemate"));
  EXPECT_FALSE(text.contains("cl_khr_spir"));
}

TEST_F(OpenCl, a_program_whose_device_is_gone_hears_of_it_and_does_not_hang) {
  for (const uint64_t calls : {1, 30, 60}) {
    options_.calls_max = calls;
    const auto code = run_pair({program("buffers")}, options_);
    ASSERT_TRUE(code) << code.error().text;
    EXPECT_EQ(*code, 1);
    EXPECT_TRUE(text_in(options_.output).contains("status -")) << text_in(options_.output);
  }
}

}  // namespace
}  // namespace casemate::opencl
