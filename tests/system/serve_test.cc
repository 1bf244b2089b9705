// SPDX-License-Identifier: Apache-2.0
// What `casemate serve` does with what an operator gives it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/system/served_system.h"

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
  fs::create_directories(models_ + "/ensemble/1");
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
  EXPECT_TRUE(printed.contains("casemate: warning: not served: " + models_ + "/ensemble/1"))
      << printed;
}

}  // namespace
}  // namespace casemate::tests
