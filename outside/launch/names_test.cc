// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/names.h"

#include <gtest/gtest.h>

#include <memory>

namespace casemate::launch {
namespace {

std::unique_ptr<operating::Reply> two_versions() {
  auto reply = std::make_unique<operating::Reply>();
  reply->partition_count = 2;
  reply->partitions[0].name = Text<limits::kName>::from("gateway");
  reply->partitions[1].name = Text<limits::kName>::from("vision");
  reply->enclave_count = 4;
  const char* names[] = {"gateway", "digits", "digits", "vision"};
  for (uint32_t e = 0; e < 4; ++e) {
    reply->enclaves[e].name = Text<limits::kName>::from(names[e]);
    reply->enclaves[e].model_version = e;
    reply->enclaves[e].id = 100 + e;
  }
  return reply;
}

TEST(FindTarget, takes_a_partition_before_an_enclave_of_the_same_name) {
  const auto reply = two_versions();
  for (const char* name : {"gateway", "vision"}) {
    const auto target = find_target(*reply, name);
    ASSERT_TRUE(target) << name;
    EXPECT_FALSE(target->enclave) << name;
  }
  const auto enclave = find_target(*reply, "vision/3");
  ASSERT_TRUE(enclave);
  EXPECT_EQ(enclave->enclave, 103u);
}

TEST(FindTarget, refuses_a_name_of_two_versions_and_takes_either_by_its_number) {
  const auto reply = two_versions();
  EXPECT_EQ(find_target(*reply, "digits").error().text,
            "'digits' has several versions: say which, as in digits/2");
  EXPECT_EQ(find_target(*reply, "digits/2")->enclave, 102u);
  EXPECT_EQ(find_target(*reply, "digits/7").error().code, Code::kNotFound);
  EXPECT_EQ(find_target(*reply, "").error().code, Code::kNotFound);
}

TEST(ShareText, says_what_limits_a_partition) {
  operating::PartitionStatus partition;
  EXPECT_EQ(share_text(partition), "all");
  partition.cpu_mask = 0b1001111;
  EXPECT_EQ(share_text(partition), "cores 0-3,6");
  partition.cpu_percent = 150;
  EXPECT_EQ(share_text(partition), "150% of cores 0-3,6");
  partition.cpu_mask = 0;
  EXPECT_EQ(share_text(partition), "150%");
  EXPECT_EQ(cores_text(~0ull), "0-63");
  EXPECT_EQ(cores_text(1ull << 63), "63");
}

TEST(StateName, of_a_number_that_is_none_is_said_to_be_unknown) {
  EXPECT_EQ(state_name(2), "running");
  EXPECT_EQ(state_name(6), "unknown");
  EXPECT_EQ(standby_name(3), "unknown");
}

}  // namespace
}  // namespace casemate::launch
