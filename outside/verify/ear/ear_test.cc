// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/ear/ear.h"

#include <gtest/gtest.h>

#include "outside/verdict/checks.h"
#include "outside/verify/ear/claims.h"
#include "outside/verify/ear/eat.h"
#include "outside/verify/jose/jose.h"
#include "outside/verify/testing/issuer.h"

namespace casemate::verify {
namespace {

constexpr int64_t kEarNow = 1'772'323'200;

// A verdict with one check of each code, ended as its outcome says.
Verdict verdict_of(std::initializer_list<std::pair<std::string_view, Outcome>> outcomes) {
  Verdict verdict;
  verdict.root = "sev-snp";
  verdict.time_used_unix = kEarNow;
  verdict.passed = true;
  for (const auto& [code, outcome] : outcomes) {
    verdict.checks.push_back({.code = code, .outcome = outcome});
    if (outcome == Outcome::kFailed || outcome == Outcome::kNotRun) verdict.passed = false;
  }
  return verdict;
}

nlohmann::json json_form(const Verdict& verdict, const EarContext& context = {}) {
  return nlohmann::json::parse(ear_json(verdict, context));
}
nlohmann::json vector_in(const Verdict& verdict) {
  return json_form(verdict)["submods"]["sev-snp"]["ear_trustworthiness_vector"];
}

TEST(Ear, a_good_verdict_is_affirming_in_each_category_in_which_checks_ran) {
  const auto json = json_form(verdict_of({{"snp.signature", Outcome::kPassed},
                                          {"snp.debug", Outcome::kPassed},
                                          {"snp.tcb", Outcome::kPassed}}));
  EXPECT_EQ(json["eat_profile"], "tag:ietf.org,2026:rats/ear#04");
  EXPECT_EQ(json["iat"], kEarNow);
  EXPECT_EQ(json["ear_status"], "affirming");
  EXPECT_EQ(json["submods"]["sev-snp"]["ear_status"], "affirming");
  EXPECT_EQ(json["submods"]["sev-snp"]["ear_trustworthiness_vector"],
            (nlohmann::json{{"instance-identity", 2}, {"configuration", 2}, {"hardware", 2}}));
  EXPECT_FALSE(json.contains("eat_nonce"));
}

TEST(Ear, what_the_policy_let_through_is_a_warning) {
  const Verdict allowed =
      verdict_of({{"snp.signature", Outcome::kPassed}, {"snp.measurement", Outcome::kAllowed}});
  EXPECT_EQ(json_form(allowed)["ear_status"], "warning");
  EXPECT_EQ(vector_in(allowed), (nlohmann::json{{"instance-identity", 2}, {"executables", 33}}));
  Verdict development = verdict_of({{"snp.signature", Outcome::kPassed}});
  development.development_root = true;
  EXPECT_EQ(json_form(development)["ear_status"], "warning");
}

TEST(Ear, what_failed_is_contraindicated_and_broken_cryptography_is_called_so) {
  const Verdict debug =
      verdict_of({{"snp.signature", Outcome::kPassed}, {"snp.debug", Outcome::kFailed}});
  EXPECT_EQ(json_form(debug)["ear_status"], "contraindicated");
  EXPECT_EQ(vector_in(debug), (nlohmann::json{{"instance-identity", 2}, {"configuration", 96}}));
  const Verdict forged =
      verdict_of({{"snp.signature", Outcome::kFailed}, {"snp.debug", Outcome::kNotRun}});
  EXPECT_EQ(vector_in(forged), (nlohmann::json{{"instance-identity", 99}}));
  Verdict unread = verdict_of({{"snp.form", Outcome::kFailed}});
  unread.root.clear();
  EXPECT_TRUE(json_form(unread)["submods"].contains("unknown"));
}

TEST(Ear, codes_of_checks_fall_into_the_category_that_they_are_about) {
  EXPECT_EQ(category_of("snp.guest_policy"), TrustCategory::kConfiguration);
  EXPECT_EQ(category_of("snp.certified_tcb"), TrustCategory::kHardware);
  EXPECT_EQ(category_of("snp.measurement"), TrustCategory::kExecutables);
  EXPECT_EQ(category_of("cca.lifecycle"), TrustCategory::kConfiguration);
  EXPECT_EQ(category_of("cca.reference"), TrustCategory::kExecutables);
  EXPECT_EQ(category_of("quote.security_version"), TrustCategory::kHardware);
  EXPECT_EQ(category_of("token.debug"), TrustCategory::kConfiguration);
  EXPECT_EQ(category_of("enclave.model"), TrustCategory::kExecutables);
  EXPECT_EQ(category_of("claims.tls_key"), TrustCategory::kInstanceIdentity);
}

TEST(Ear, nonces_that_others_would_refuse_are_left_out) {
  const Verdict verdict = verdict_of({{"snp.signature", Outcome::kPassed}});
  for (const size_t size : {0u, 7u, 65u}) {
    const std::vector<uint8_t> nonce(size, 1);
    const auto json = json_form(verdict, {.nonce = nonce, .evidence_nonce = nonce});
    EXPECT_FALSE(json.contains("eat_nonce") || json["submods"]["sev-snp"].contains("eat_nonce"));
  }
  const std::vector<uint8_t> nonce(8, 1);
  const auto json = json_form(verdict, {.nonce = nonce, .evidence_nonce = nonce});
  EXPECT_EQ(json["eat_nonce"], to_base64url(nonce));
  EXPECT_EQ(json["submods"]["sev-snp"]["eat_nonce"], to_base64url(nonce));
}

// Both forms of a result, read back as a token of somebody else.
TEST(Ear, results_are_read_back_as_they_were_written) {
  const SigningKey key = *SigningKey::generate();
  const EarContext context{.nonce = std::vector<uint8_t>(32, 5),
                           .evidence_nonce = std::vector<uint8_t>(64, 6)};
  for (const Outcome outcome : {Outcome::kPassed, Outcome::kAllowed, Outcome::kFailed}) {
    const Verdict verdict = verdict_of({{"snp.signature", Outcome::kPassed}, {"snp.tcb", outcome}});
    const auto json = eat_claims_in_json(ear_json(verdict, context));
    const auto cbor = eat_claims_in_cbor(ear_cbor(verdict, context));
    ASSERT_TRUE(json) << json.error().text;
    ASSERT_TRUE(cbor) << cbor.error().text;
    for (const auto& claims : {*json, *cbor}) {
      EXPECT_EQ(claims.profile, kEarProfile);
      EXPECT_EQ(claims.issued, kEarNow);
      EXPECT_EQ(claims.nonces.at(0), context.nonce);
      const EatClaims& part = claims.submodules.at("sev-snp");
      EXPECT_EQ(part.nonces.at(0), context.evidence_nonce);
      EXPECT_EQ(part.status, claims.status);
      EXPECT_EQ(part.status, outcome == Outcome::kPassed    ? EarStatus::kAffirming
                             : outcome == Outcome::kAllowed ? EarStatus::kWarning
                                                            : EarStatus::kContraindicated);
    }
  }
}

TEST(Ear, the_name_of_its_file_says_whether_a_result_is_json_or_cbor) {
  const SigningKey key = *SigningKey::generate();
  const std::string pem = testing::pem_of(key);
  const Verdict verdict = verdict_of({{"snp.signature", Outcome::kPassed}});
  const auto json = ear_file(verdict, {}, "result.jwt", pem);
  ASSERT_TRUE(json) << json.error().text;
  EXPECT_TRUE(check_jws(*read_jws(casemate::text_of(*json)), key.public_der()));
  for (const std::string_view name : {"result.cbor", "result.cwt"}) {
    const auto cbor = ear_file(verdict, {}, name, pem);
    ASSERT_TRUE(cbor) << cbor.error().text;
    EXPECT_EQ(cbor->front(), 0xd8);  // tag 61
    EXPECT_TRUE(eat::looks_like(*cbor));
  }
  EXPECT_FALSE(ear_file(verdict, {}, "result.jwt", "no key"));
}

}  // namespace
}  // namespace casemate::verify
