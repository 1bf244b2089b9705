// SPDX-License-Identifier: Apache-2.0
// Tokens that others published.
#include "outside/verify/testing/vectors.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/cca/codes.h"
#include "outside/verify/cca/testing/judged.h"

namespace casemate::verify::cca {
namespace {

using testing::judge;
using testing::Judged;
using verify::testing::vector_file;

std::vector<uint8_t> published(std::string_view name) {
  return vector_file(formatted("cca/{}", name));
}

// The verdict on a token under one of the published keys, which the policy trusts.
Judged judged_with(Bytes token, std::string_view key, Rules rules = {}) {
  Collateral collateral;
  EXPECT_TRUE(collateral.add(std::string(key), published(key)));
  const auto json = parse_json(casemate::text_of(collateral.documents()[0].content), key);
  for (const Anchor& anchor : anchors_in(*json)) {
    if (anchor.key) rules.anchors.push_back(sha384(*anchor.key));
  }
  return judge(token, rules, collateral);
}

std::string outcome(std::string_view token, std::string_view key, const Rules& rules = {}) {
  return judged_with(published(token), key, rules).outcome();
}

TEST(CcaVectors, are_accepted_with_their_platforms_key) {
  NEEDS_VECTORS();
  for (const auto& [token, key] :
       {std::pair("cca-token-01.cbor", "cpak.json"), std::pair("cca-token-01.cbor", "ta-tfa.json"),
        std::pair("cca-token-02.cbor", "ta-02-ok.json"),
        std::pair("cca-token-draft-ffm-00.cbor", "cpak.json"),
        std::pair("cca-token-draft-ffm-00.cbor", "ta-tfa.json")}) {
    const Judged judged = judged_with(published(token), key);
    EXPECT_EQ(judged.outcome(), "accepted") << token << " " << key << text_of(judged.verdict);
    EXPECT_EQ(judged.platform.root, "arm-cca");
    EXPECT_FALSE(judged.platform.debug);
    EXPECT_NE(judged.platform.report_data, ByteArray<64>{});
    EXPECT_NE(judged.platform.digest, Sha384Digest{});
  }
}

TEST(CcaVectors, are_refused_with_other_keys) {
  NEEDS_VECTORS();
  EXPECT_EQ(outcome("cca-token-01.cbor", "pkey.json"), code::kPlatformSignature.code);
  EXPECT_EQ(outcome("cca-token-01.cbor", "ta.json"), code::kPlatformSignature.code);
  EXPECT_EQ(outcome("cca-token-02.cbor", "cpak.json"), code::kPlatformSignature.code);
  EXPECT_EQ(outcome("cca-token-02.cbor", "pkey.json"), code::kPlatformSignature.code);
}

TEST(CcaVectors, a_key_that_is_no_point_of_its_curve_is_refused_as_such) {
  NEEDS_VECTORS();
  const Judged judged = judged_with(published("cca-token-02.cbor"), "ta-02-bad.json");
  ASSERT_EQ(judged.outcome(), code::kKey.code);
  EXPECT_NE(judged.verdict.first_failure()->actual.find("no point on the curve"),
            std::string::npos);
}

TEST(CcaVectors, two_good_signatures_whose_binding_is_wrong_are_refused) {
  NEEDS_VECTORS();
  for (const std::string_view key : {"cpak.json", "ta-tfa.json"})
    EXPECT_EQ(outcome("bug-33-repro.cbor", key), code::kBinder.code);
}

TEST(CcaVectors, a_key_that_the_policy_does_not_name_is_refused) {
  NEEDS_VECTORS();
  Collateral collateral;
  ASSERT_TRUE(collateral.add("cpak.json", published("cpak.json")));
  EXPECT_EQ(judge(published("cca-token-01.cbor"), {}, collateral).outcome(), code::kRoot.code);
  Rules rules;
  rules.anchor_keys = {*parse_json(casemate::text_of(published("cpak.json")), "the key")};
  EXPECT_EQ(judge(published("cca-token-01.cbor"), rules, collateral).outcome(), "accepted");
  EXPECT_EQ(judge(published("cca-token-01.cbor"), rules, {}).outcome(), "accepted");
  EXPECT_EQ(judge(published("cca-token-01.cbor"), {}, {}).outcome(), code::kKey.code);
}

TEST(CcaVectors, match_the_reference_values_that_were_published_with_one_of_them) {
  NEEDS_VECTORS();
  const auto file = published("rv.json");
  const std::string text = formatted(R"({{"reference_values": {}}})", casemate::text_of(file));
  const auto json = parse_json(text, "the policy");
  ASSERT_TRUE(json);
  JsonObject object = *JsonObject::of(*json, "cca");
  const auto rules = parse_rules(object);
  ASSERT_TRUE(rules) << rules.error().text;
  const auto token = published("cca-token-01.cbor");
  EXPECT_EQ(outcome("cca-token-01.cbor", "cpak.json", *rules), "accepted")
      << text_of(judged_with(token, "cpak.json", *rules).verdict);
  EXPECT_EQ(outcome("cca-token-02.cbor", "ta-02-ok.json", *rules), code::kReference.code);
  for (const ReferencePlatform& platform : rules->reference_platforms) {
    if (platform.components.size() < 4) continue;
    Rules fewer = *rules;
    fewer.reference_platforms = {platform};
    fewer.reference_platforms[0].components.pop_back();
    EXPECT_EQ(outcome("cca-token-01.cbor", "cpak.json", fewer), code::kReference.code);
  }
}

TEST(CcaVectors, identities_that_were_published_find_their_key) {
  NEEDS_VECTORS();
  const auto json = parse_json(casemate::text_of(published("ta.json")), "ta.json");
  const auto anchors = anchors_in(*json);
  ASSERT_EQ(anchors.size(), 1u);
  EXPECT_EQ(anchors[0].instance_id, published("inst-id.bin"));
  EXPECT_EQ(anchors[0].implementation_id, published("impl-id.bin"));
  EXPECT_TRUE(anchors[0].key);
}

TEST(CcaVectors, claims_alone_are_read_whatever_else_they_hold) {
  NEEDS_VECTORS();
  EXPECT_TRUE(read_platform_claims(published("platform-claims.cbor")));
  const auto plain = read_realm_claims(published("realm-claims.cbor"));
  ASSERT_TRUE(plain) << plain.error().text;
  for (const std::string_view name :
       {"realm-claims+spurious-numeric-key.cbor", "realm-claims+spurious-text-key.cbor"}) {
    const auto more = read_realm_claims(published(name));
    ASSERT_TRUE(more) << name << ": " << more.error().text;
    EXPECT_EQ(more->challenge, plain->challenge);
    EXPECT_EQ(more->public_key, plain->public_key);
  }
}

TEST(CcaVectors, claims_without_a_challenge_are_refused_by_name) {
  NEEDS_VECTORS();
  const auto claims = read_realm_claims(published("realm-claims-missing-challenge.cbor"));
  ASSERT_FALSE(claims);
  EXPECT_EQ(claims.error().text, "the claim challenge (10) of the realm is missing");
}

TEST(CcaVectors, a_token_cut_anywhere_or_followed_by_anything_is_refused) {
  NEEDS_VECTORS();
  std::vector<uint8_t> token = published("cca-token-01.cbor");
  for (size_t size = 0; size < token.size(); ++size)
    EXPECT_EQ(judge(Bytes(token).first(size), {}, {}).outcome(), code::kForm.code);
  token.push_back(0);
  EXPECT_EQ(judge(token, {}, {}).outcome(), code::kForm.code);
}

}  // namespace
}  // namespace casemate::verify::cca
