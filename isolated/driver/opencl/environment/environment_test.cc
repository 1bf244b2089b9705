// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/environment/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace casemate::opencl {
namespace {

TEST(OpenclEnvironment, leaves_room_for_the_compiler_beside_buffers) {
  constexpr uint64_t kMib = 1 << 20;
  EXPECT_EQ(memory_for_buffers(4096 * kMib), 3584 * kMib);
  EXPECT_EQ(memory_for_buffers(1025 * kMib), 513 * kMib);
  EXPECT_EQ(memory_for_buffers(1024 * kMib), 512 * kMib) << "no jump on the way down";
  EXPECT_EQ(memory_for_buffers(100 * kMib), 50 * kMib);
}

TEST(OpenclEnvironment, says_which_cores_and_memory_there_are_and_where_to_write) {
  set_environment({.memory_bytes = 1 << 20, .cores = 3, .scratch = "/somewhere"});
  EXPECT_STREQ(std::getenv("HWLOC_SYNTHETIC"), "[NUMANode(memory=1048576)] core:3 pu:1");
  EXPECT_STREQ(std::getenv("POCL_CACHE_DIR"), "/somewhere/cache");
  EXPECT_STREQ(std::getenv("TMPDIR"), "/somewhere");
  EXPECT_STREQ(std::getenv("PATH"), "/usr/bin");
}

}  // namespace
}  // namespace casemate::opencl
