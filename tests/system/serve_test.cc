// SPDX-License-Identifier: Apache-2.0
// What `casemate serve` does with what an operator gives it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "outside/launch/describe.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

class Serve : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-test-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    models_ = scratch;
    fs::copy(source_folder() + "/models/digits", models_ + "/digits", fs::copy_options::recursive);
  }
  void TearDown() override {
    std::error_code ignored;
    if (!models_.empty()) fs::remove_all(models_, ignored);
  }
  std::string models_;
};

TEST_F(Serve, a_repository_made_for_triton_is_served_and_what_is_not_followed_is_named) {
  std::ofstream(models_ + "/digits/config.pbtxt")
      << "name: \"digits\"\nbackend: \"onnxruntime\"\n"
         "max_batch_size: 0  # not what the ONNX file says\n"
         "instance_group [ { count: 2 kind: KIND_GPU } ]\n";
  fs::create_directories(models_ + "/ensemble");
  std::ofstream(models_ + "/ensemble/config.pbtxt") << "platform: \"ensemble\"\n";
  const ServedSystem system(models_);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Witness witness(system.url());
  EXPECT_TRUE(witness.answered_again());
  EXPECT_EQ(witness.stop(), "");
  const std::string printed = system.printed();
  EXPECT_TRUE(printed.contains("casemate: warning: " + models_ +
                               "/digits/config.pbtxt: not followed: max_batch_size, "
                               "instance_group; the model is served as its ONNX file says"))
      << printed;
  EXPECT_TRUE(printed.contains("casemate: warning: " + models_ +
                               "/ensemble/config.pbtxt: configures a model that has no version"))
      << printed;
}

launch::ModelFiles digits() {
  return {"digits", 1, source_folder() + "/models/digits/1", {"model.onnx"}};
}

TEST(Gateway, has_memory_for_all_that_clients_may_make_it_hold) {
  launch::SystemFile file;
  const auto system = launch::describe(file, {digits(), digits()}, build_folder() + "/bin");
  ASSERT_TRUE(system) << system.error().text;
  const SystemDescription& d = **system;
  EXPECT_EQ(d.gateway_options.view(),
            "connections_max=16384;request_mib=64;idle_timeout_s=120;buffered_mib=1024");
  const uint64_t streams = d.streams[0].bulk_in_bytes + d.streams[1].bulk_in_bytes;
  EXPECT_EQ(d.enclaves[0].memory_bytes, (2048ull << 20) + streams);
  EXPECT_GT(d.partitions[0].memory_bytes, d.enclaves[0].memory_bytes);
}

TEST(Gateway, with_little_memory_takes_fewer_connections_and_no_large_requests) {
  launch::SystemFile file;
  file.gateway.memory_mib = 64;
  const auto refused = launch::describe(file, {digits()}, build_folder() + "/bin");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().text.contains("request_mib is 64")) << refused.error().text;
  file.gateway.request_mib = 16;
  const auto system = launch::describe(file, {digits()}, build_folder() + "/bin");
  ASSERT_TRUE(system) << system.error().text;
  EXPECT_EQ((*system)->gateway_options.view(),
            "connections_max=512;request_mib=16;idle_timeout_s=120;buffered_mib=32");
}

}  // namespace
}  // namespace casemate::tests
