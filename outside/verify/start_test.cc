// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/start.h"

#include <gtest/gtest.h>

#include "outside/verify/codes.h"

namespace casemate::verify {
namespace {

constexpr std::array<std::string_view, 6> kRoots = {"sev-snp", "tdx", "sgx",
                                                    "arm-cca", "tpm", "nvidia"};

Platform platform_of(std::string_view root) {
  Platform platform{.root = root};
  const std::vector<uint8_t> value(48, 7);
  for (const char* name : {"measurement", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrenclave",
                           "initial_measurement", "key"})
    platform.measurements.push_back({name, value});
  for (uint32_t pcr = 0; pcr < 24; ++pcr)
    platform.measurements.push_back(
        {"pcr" + std::to_string(pcr), std::vector<uint8_t>(32, static_cast<uint8_t>(pcr))});
  return platform;
}

TEST(Start, of_hardware_that_anybody_may_rent_has_to_be_named) {
  for (const auto root : kRoots) {
    const Finding finding = start_is_named(root, {});
    EXPECT_FALSE(finding.good) << root;
    EXPECT_FALSE(finding.expected.empty() || finding.actual.empty()) << root;
  }
  EXPECT_TRUE(start_is_named("software", {}).good);
}

TEST(Start, that_was_learned_is_named_for_its_root_and_for_no_other) {
  for (const auto root : kRoots) {
    if (root == "nvidia") continue;  // no root of our evidence
    Policy policy;
    name_start(platform_of(root), policy);
    for (const auto other : kRoots) {
      EXPECT_EQ(start_is_named(other, policy).good, other == root)
          << root << " names the start of " << other;
    }
  }
}

TEST(Start, of_a_tpm_is_its_key_and_what_was_booted_and_nothing_that_changes_later) {
  Policy policy;
  name_start(platform_of("tpm"), policy);
  ASSERT_EQ(policy.tpm.keys.size(), 1u);
  EXPECT_EQ(policy.tpm.keys[0][0], 7);
  std::vector<uint32_t> named;
  for (const auto& [pcr, values] : policy.tpm.pcrs) named.push_back(pcr);
  EXPECT_EQ(named, (std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14}));
}

TEST(Start, of_a_tdx_guest_is_more_than_its_firmware) {
  for (const char* missing : {"mrtd", "rtmr1", "rtmr2"}) {
    Policy policy;
    name_start(platform_of("tdx"), policy);
    policy.intel.measurements.at(missing).clear();
    EXPECT_FALSE(start_is_named("tdx", policy).good) << missing;
    policy.intel.measurements.erase(missing);
    EXPECT_FALSE(start_is_named("tdx", policy).good) << missing;
  }
}

TEST(Start, of_a_tpm_s_machine_is_the_boot_loader_whatever_else_is_named) {
  Policy policy;
  name_start(platform_of("tpm"), policy);
  policy.tpm.pcrs.at(4).clear();
  EXPECT_FALSE(start_is_named("tpm", policy).good) << "a list of nothing";
  policy.tpm.pcrs.erase(4);
  const Finding finding = start_is_named("tpm", policy);
  EXPECT_FALSE(finding.good) << "the firmware, and the keys that all is checked with";
  EXPECT_TRUE(finding.expected.contains("4 is the boot loader")) << finding.expected;
  EXPECT_TRUE(finding.actual.contains("no PCR 4")) << finding.actual;
  for (uint32_t pcr = 0; pcr < 24; ++pcr) {
    Policy one;
    one.tpm.pcrs[pcr] = {Sha256Digest{1}};
    EXPECT_EQ(start_is_named("tpm", one).good, pcr == 4) << pcr;
  }
}

TEST(Start, of_a_realm_is_not_named_by_reference_values_that_leave_it_open) {
  Policy policy;
  policy.cca.reference_realms.resize(2);
  policy.cca.reference_realms[0].initial_measurement.emplace(32, uint8_t{1});
  EXPECT_FALSE(start_is_named("arm-cca", policy).good) << "the second fits any realm";
  policy.cca.reference_realms[1].initial_measurement.emplace(32, uint8_t{2});
  EXPECT_TRUE(start_is_named("arm-cca", policy).good);
}

TEST(Start, may_be_debugged_where_the_rules_of_that_root_say_so) {
  Policy policy;
  policy.snp.insecure_allow_debug = true;
  EXPECT_TRUE(debug_is_allowed("sev-snp", policy));
  for (const char* other : {"tdx", "sgx", "arm-cca", "eat", "tpm", "software"})
    EXPECT_FALSE(debug_is_allowed(other, policy)) << other;
}

}  // namespace
}  // namespace casemate::verify
