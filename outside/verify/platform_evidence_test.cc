// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/platform_evidence.h"

#include <gtest/gtest.h>

#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/intel/testing/vectors.h"

namespace casemate::verify {
namespace {

using intel::testing::Kind;
using intel::testing::kNow;
using intel::testing::TestPlatform;
using intel::testing::vector_collateral;
using intel::testing::vector_file;

Policy policy_for(const TestPlatform& platform) {
  Policy policy;
  policy.intel = platform.rules();
  policy.allow_software_root = true;
  return policy;
}

std::string first_code(const Verdict& verdict) {
  const Check* failure = verdict.first_failure();
  return failure == nullptr ? "" : std::string(failure->code);
}

TEST(PlatformEvidence, is_taken_as_bytes_or_in_hexadecimal) {
  const std::vector<uint8_t> bytes = {1, 0xAB, 3};
  for (const std::string_view text : {"01ab03", "0x01AB03", " 01ab03\n"})
    EXPECT_EQ(evidence_in(bytes_of(text)), bytes) << text;
  for (const std::string_view text : {"01ab0", "0x01ab03zz", "0x", "", " "})
    EXPECT_EQ(casemate::text_of(evidence_in(bytes_of(text))), text);
}

TEST(PlatformEvidence, gives_a_verdict_with_what_is_measured) {
  TestPlatform made(Kind::kTdx4);
  const std::vector<uint8_t> wanted = {7, 8, 9};
  made.set(520, wanted);
  EXPECT_TRUE(platform_evidence(made.quote()));
  const auto judge = [&](Bytes expected, const Policy& policy) {
    return verify_platform(made.quote(), expected, policy, made.collateral(), kNow);
  };
  const Verdict good = judge(wanted, policy_for(made));
  EXPECT_TRUE(good.passed) << text_of(good);
  EXPECT_EQ(good.root, "tdx");
  EXPECT_TRUE(good.development_root);
  ASSERT_TRUE(good.quoted.has_value());
  EXPECT_EQ(good.quoted->tcb.status, "UpToDate");
  EXPECT_TRUE(json_of(good).contains("\"mrtd\""));
  EXPECT_TRUE(json_of(good).contains("\"evaluation_number\": 17"));
  EXPECT_TRUE(text_of(good).contains("UpToDate, level of 2026-01-01"));

  Policy strict = policy_for(made);
  strict.allow_software_root = false;
  EXPECT_EQ(first_code(judge(wanted, strict)), "root.kind");
  EXPECT_EQ(first_code(judge(Bytes(wanted).first(2), policy_for(made))), "platform.report_data");
  EXPECT_EQ(first_code(judge(std::vector<uint8_t>(65), policy_for(made))), "platform.report_data");
  const Verdict unbound = judge({}, policy_for(made));
  EXPECT_TRUE(unbound.passed);
  EXPECT_TRUE(text_of(unbound).contains("insecure_unbound"));
}

TEST(PlatformEvidence, is_held_against_the_policy_s_platforms_and_versions) {
  TestPlatform made(Kind::kSgx3);
  made.set(258, ByteArray<1>{4});
  Policy policy = policy_for(made);
  const auto judge = [&] {
    return verify_platform(made.quote(), {}, policy, made.collateral(), kNow);
  };
  policy.security_version_min = 4;
  policy.platform = {judge().platform};
  EXPECT_TRUE(judge().passed);
  policy.security_version_min = 5;
  EXPECT_EQ(first_code(judge()), "quote.security_version");
  policy.security_version_min = 0;
  policy.platform = {Sha384Digest{1}};
  EXPECT_EQ(first_code(judge()), "platform.measurement");
}

TEST(PlatformEvidence, in_no_known_format_is_refused_and_nothing_is_said_of_it) {
  const std::vector<uint8_t> bytes(1024, 0x0F);
  EXPECT_FALSE(platform_evidence(bytes));
  const Verdict verdict = verify_platform(bytes, {}, {}, {}, kNow);
  EXPECT_FALSE(verdict.passed);
  EXPECT_EQ(first_code(verdict), "platform.format");
  EXPECT_TRUE(verdict.first_failure()->expected.contains("Intel quote"));
  EXPECT_FALSE(verdict.quoted.has_value());
  EXPECT_FALSE(text_of(verdict).empty());
}

TEST(PlatformEvidence, of_real_platforms_is_known_in_every_spelling) {
  if (intel::testing::vectors_folder().empty())
    GTEST_SKIP() << "../shared/data/attestation is missing";
  constexpr int64_t kTime = 1'751'328'000;  // 2025-07-01
  const Collateral collateral = vector_collateral({"tdx/v4-uptodate-collateral.json"});
  const auto judge = [&](std::string_view name) {
    return verify_platform(evidence_in(vector_file(name)), {}, {}, collateral, kTime);
  };
  EXPECT_TRUE(judge("tdx/v4-uptodate-quote.bin").passed);
  for (const auto* name : {"tdx/v4-quote-plain.hex", "tdx/v4-quote-0x.hex"}) {
    const Verdict verdict = judge(name);
    EXPECT_EQ(first_code(verdict), "intel.level") << text_of(verdict);
    EXPECT_TRUE(verdict.first_failure()->actual.contains("component 8 (OS/VMM, SEAMLDR ACM) is 3"));
  }
  EXPECT_EQ(first_code(judge("tdx/tdreport-bad-type.bin")), "platform.format");
  EXPECT_EQ(first_code(judge("ra-tls/rats-tls-cert.pem")), "ratls.validity");
  EXPECT_EQ(first_code(judge("ra-tls/gramine-cert.pem")), "intel.debug");
  // A certificate without evidence is none.
  EXPECT_FALSE(platform_evidence(vector_file("tdx/intel-sgx-root-ca.pem")));
}

TEST(PlatformEvidence, has_rules_in_the_policy_file) {
  const auto policy =
      parse_policy(R"({"intel": {"tcb_statuses": ["UpToDate", "OutOfDate"]}})", "p");
  ASSERT_TRUE(policy.has_value()) << policy.error().text;
  EXPECT_EQ(policy->intel.tcb_statuses.size(), 2u);
  EXPECT_EQ(parse_policy(policy_text(*policy), "p")->intel.tcb_statuses.size(), 2u);
  const auto wrong = parse_policy(R"({"intel": {"tcb": []}})", "p");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_TRUE(wrong.error().text.contains("\"intel\"")) << wrong.error().text;
}

}  // namespace
}  // namespace casemate::verify
