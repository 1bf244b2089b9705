// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/accelerators.h"

#include <gtest/gtest.h>

namespace casemate::launch {
namespace {

TEST(Accelerators, are_named_by_kind_and_number_in_one_spelling) {
  for (const auto& [name, device, number] :
       {std::tuple("npu:0", DeviceKind::kNpu, 0u), std::tuple("opencl:0", DeviceKind::kOpencl, 0u),
        std::tuple("opencl:15", DeviceKind::kOpencl, 15u)}) {
    const auto found = accelerator_named(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->accelerator->device, device);
    EXPECT_EQ(found->number, number);
  }
  for (const char* name : {"", "npu", "npu:", "npu:1", "npu:00", "npu:0 ", "cpu:0", "none:0",
                           "opencl:16", "opencl:-1", "opencl:+1", "opencl:01", "OpenCL:0", ":0"})
    EXPECT_FALSE(accelerator_named(name)) << name;
  EXPECT_EQ(accelerator_names(), "'npu:0' or 'opencl:0' to 'opencl:15'");
}

TEST(Accelerators, are_no_processors) {
  EXPECT_EQ(find_accelerator("cpu"), nullptr);
  EXPECT_EQ(find_accelerator(""), nullptr);
  ASSERT_NE(find_accelerator("opencl"), nullptr);
  EXPECT_TRUE(find_accelerator("opencl")->driver);
}

}  // namespace
}  // namespace casemate::launch
