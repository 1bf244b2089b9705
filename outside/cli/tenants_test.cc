// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/tenants.h"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>

namespace casemate::cli {
namespace {

std::unique_ptr<operating::Reply> small_system() {
  auto system = std::make_unique<operating::Reply>();
  system->partition_count = 2;
  system->partitions[0].name = Text<limits::kName>::from("gateway");
  system->partitions[0].device = Text<32>::from("none");
  operating::PartitionStatus& models = system->partitions[1];
  models.name = Text<limits::kName>::from("models\x1b[2J");
  models.device = Text<32>::from("cpu:0");
  models.state = static_cast<uint32_t>(operating::State::kBackingOff);
  models.failures = 3;
  models.cpu_mask = 0b1101;
  models.cpu_percent = 150;
  models.memory_bytes = 512 << 20;
  system->enclave_count = 2;
  for (uint32_t e = 0; e < 2; ++e) {
    system->enclaves[e].name = Text<limits::kName>::from(e == 0 ? "digits" : "words");
    system->enclaves[e].partition = 1;
    system->enclaves[e].model_version = e + 1;
  }
  return system;
}

TEST(Tenants, are_the_enclaves_of_each_partition_beside_its_share_and_state) {
  std::ostringstream out;
  print_tenants(*small_system(), out);
  const std::string text = out.str();
  EXPECT_TRUE(text.contains("\ngateway              none    0 MiB ")) << text;
  EXPECT_TRUE(
      text.contains("\nmodels?[2J           cpu:0   cores 0,2-3, 150 % of a core, 512 MiB "
                    "backing off "))
      << text;
  EXPECT_TRUE(text.contains("  3  digits/1 words/2\n")) << text;
}

TEST(Tenants, for_programs_have_their_cores_one_by_one) {
  const auto list = tenants_json(*small_system());
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["tenants"].size(), 0u);
  EXPECT_EQ(list[1]["cores"], (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(list[1]["cpu_percent"], 150);
  EXPECT_EQ(list[1]["state"], "backing off");
  EXPECT_EQ(list[1]["tenants"][1], "words/2");
}

TEST(Tenants, have_shares_of_any_cores) {
  operating::PartitionStatus partition;
  partition.cpu_mask = 1ull << 63;
  EXPECT_EQ(share_text(partition), "core 63, 0 MiB");
  partition.cpu_mask = ~0ull;
  EXPECT_EQ(share_text(partition), "cores 0-63, 0 MiB");
}

}  // namespace
}  // namespace casemate::cli
