// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/ear/eat.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/format.h"
#include "outside/verdict/cbor_writer.h"
#include "outside/verify/cose/cose.h"
#include "outside/verify/ear/codes.h"
#include "outside/verify/ear/ear.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify::eat {
namespace {

constexpr int64_t kNow = 1'772'323'200;
constexpr std::string_view kGood =
    R"({"eat_nonce": "AQIDBAUGBwg", "iat": 1772323200, "dbgstat": "disabled"})";

const SigningKey& signer() {
  static const SigningKey key = *SigningKey::generate();
  return key;
}

nlohmann::json jwk_of(const SigningKey& key) {
  const Bytes point = Bytes(key.public_der()).last(96);
  return {{"kty", "EC"},
          {"crv", "P-384"},
          {"x", to_base64url(point.first(48))},
          {"y", to_base64url(point.last(48))}};
}

Rules rules() {
  Rules rules;
  rules.keys = {jwk_of(*SigningKey::generate()), jwk_of(signer())};
  return rules;
}

struct Judged {
  Verdict verdict;
  Platform platform;
  [[nodiscard]] std::string outcome() const {
    const Check* failure = verdict.first_failure();
    if (failure == nullptr) return "accepted";
    EXPECT_FALSE(failure->expected.empty() || failure->actual.empty()) << failure->code;
    return std::string(failure->code) + (failure->subject.empty() ? "" : " " + failure->subject);
  }
};

Judged judged(Bytes token, const Rules& rules) {
  Judged judged;
  Checks checks(judged.verdict);
  judged.platform = appraise(token, rules, {}, kNow, checks);
  return judged;
}

std::string jwt(std::string_view claims, const Rules& under = rules()) {
  const std::string token = *make_jws(claims, signer());
  return judged(bytes_of(std::string_view(token)), under).outcome();
}

std::string cwt(const CborWriter& claims, const Rules& under = rules(), bool tagged = true) {
  CborWriter token;
  if (tagged) token.head(CborType::kTag, kCwtTag);
  token.raw(*make_sign1(claims.written(), signer()));
  return judged(token.written(), under).outcome();
}

TEST(Eat, tokens_in_json_and_in_cbor_are_accepted) {
  EXPECT_EQ(jwt(kGood), "accepted");
  CborWriter claims;
  claims.head(CborType::kMap, 4)
      .integer(6)
      .integer(kNow)
      .integer(10)
      .bytes(std::vector<uint8_t>(8));
  claims.integer(263).integer(2).integer(-70000).text("unknown");
  EXPECT_EQ(cwt(claims), "accepted");
  EXPECT_EQ(cwt(claims, rules(), false), "accepted");
  const std::string token = *make_jws(kGood, signer()) + "\n";
  const Judged verdict = judged(bytes_of(std::string_view(token)), rules());
  EXPECT_EQ(verdict.outcome(), "accepted");
  EXPECT_EQ(verdict.platform.report_data[1], 2);
  EXPECT_EQ(verdict.platform.root_key, signer().public_der());
  EXPECT_TRUE(looks_like(bytes_of(std::string_view(token))));
  EXPECT_FALSE(looks_like(bytes_of(std::string_view("{}"))));
  EXPECT_FALSE(looks_like({}));
}

TEST(Eat, tokens_of_others_are_refused) {
  EXPECT_EQ(jwt(kGood, Rules{}), code::kSignature.code);
  Rules others;
  others.keys = {jwk_of(*SigningKey::generate())};
  EXPECT_EQ(jwt(kGood, others), code::kSignature.code);
}

TEST(Eat, one_changed_byte_anywhere_is_refused) {
  const std::string good = *make_jws(kGood, signer());
  const Rules under = rules();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bent = good;
    bent[i] = bent[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(judged(bytes_of(std::string_view(bent)), under).outcome(), "accepted") << i;
  }
  CborWriter claims;
  claims.head(CborType::kMap, 1).integer(6).integer(kNow);
  auto token = *make_sign1(claims.written(), signer());
  for (size_t i = 0; i < token.size(); ++i) {
    token[i] ^= static_cast<uint8_t>(1 << i % 8);
    EXPECT_NE(judged(token, under).outcome(), "accepted") << i;
    token[i] ^= static_cast<uint8_t>(1 << i % 8);
  }
}

TEST(Eat, the_nonce_is_one_of_the_policys) {
  Rules under = rules();
  under.nonce = {{1, 2, 3, 4, 5, 6, 7, 8}};
  EXPECT_EQ(jwt(kGood, under), "accepted");
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "eat_nonce": ["AAAAAAAAAAA", "AQIDBAUGBwg"]})", under),
            "accepted");
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "eat_nonce": ["AAAAAAAAAAA", "AQAAAAAAAAA"]})", under),
            code::kNonce.code);
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "eat_nonce": "AAAAAAAAAAA"})", under), code::kNonce.code);
  EXPECT_EQ(jwt(R"({"iat": 1772323200})", under), code::kNonce.code);
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "eat_nonce": "AAAA"})"), code::kClaims.code);
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "eat_nonce": 7})"), code::kClaims.code);
}

TEST(Eat, each_state_of_debugging_counts) {
  const auto state = [](std::string_view name, bool allowed) {
    Rules under = rules();
    under.insecure_allow_debug = allowed;
    return jwt(formatted(R"({{"iat": 1772323200, "dbgstat": "{}"}})", name), under);
  };
  EXPECT_EQ(state("enabled", false), code::kDebug.code);
  EXPECT_EQ(state("enabled", true), "accepted");
  for (const std::string_view off : {"disabled", "disabled-since-boot", "disabled-permanently",
                                     "disabled-fully-and-permanently"})
    EXPECT_EQ(state(off, false), "accepted");
  EXPECT_EQ(state("maybe", true), code::kClaims.code);
  EXPECT_EQ(
      jwt(R"({"iat": 1772323200, "submods": {"a": {"submods": {"b": {"dbgstat": "enabled"}}}}})"),
      "eat.debug a/b");
}

TEST(Eat, a_token_is_neither_from_the_future_nor_expired_nor_old) {
  const auto timed = [](std::string_view claims) { return jwt(formatted("{{{}}}", claims)); };
  EXPECT_EQ(timed(R"("iat": 1772323500)"), "accepted");  // clocks differ
  EXPECT_EQ(timed(R"("iat": 1772323501)"), code::kTime.code);
  EXPECT_EQ(timed(R"("iat": 1772236800)"), "accepted");
  EXPECT_EQ(timed(R"("iat": 1772236799)"), code::kTime.code);
  EXPECT_EQ(timed(R"("exp": 1772323200)"), "accepted");
  EXPECT_EQ(timed(R"("exp": 1772323199)"), code::kTime.code);
  EXPECT_EQ(timed(R"("iat": 1772323200, "exp": 1772323199)"), code::kTime.code);
  EXPECT_EQ(timed(R"("iat": 1772323200, "nbf": 1772323501)"), code::kTime.code);
  EXPECT_EQ(timed(""), code::kTime.code);
  EXPECT_EQ(timed(R"("iat": 1772323200.5)"), code::kClaims.code);
  EXPECT_EQ(timed(R"("iat": 18446744073709551615)"), code::kClaims.code);
}

TEST(Eat, profile_and_device_are_those_of_the_policy) {
  Rules under = rules();
  under.profiles = {"tag:one", "tag:two"};
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "eat_profile": "tag:two"})", under), "accepted");
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "eat_profile": "tag:three"})", under), code::kProfile.code);
  EXPECT_EQ(jwt(R"({"iat": 1772323200})", under), code::kProfile.code);
  under = rules();
  under.ueid = {std::vector<uint8_t>(7, 1)};
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "ueid": "AQEBAQEBAQ"})", under), "accepted");
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "ueid": "AgEBAQEBAQ"})", under), code::kUeid.code);
  EXPECT_EQ(jwt(R"({"iat": 1772323200, "ueid": "AQE"})"), code::kClaims.code);
}

TEST(Eat, a_result_that_does_not_affirm_every_submodule_is_refused) {
  const auto result = [](std::string_view submods, bool warning = false) {
    Rules under = rules();
    under.allow_warning = warning;
    return jwt(formatted(R"({{"iat": 1772323200, "eat_profile": "{}", "submods": {}}})",
                         kEarProfile, submods),
               under);
  };
  EXPECT_EQ(result(R"({"a": {"ear_status": "affirming"}})"), "accepted");
  EXPECT_EQ(result(R"({"a": {"ear_status": "warning"}})"), "eat.status a");
  EXPECT_EQ(result(R"({"a": {"ear_status": "warning"}})", true), "accepted");
  EXPECT_EQ(result(R"({"a": {"ear_status": "none"}})", true), "eat.status a");
  EXPECT_EQ(result(R"({"a": {"ear.status": "affirming"}, "b": {"ear.status": 96}})", true),
            "eat.status b");
  EXPECT_EQ(result(R"({"a": {}})"), "eat.status a");
  EXPECT_EQ(result("{}"), code::kStatus.code);
  EXPECT_EQ(result(R"({"a": {"ear_status": "fine"}})"), code::kClaims.code);
  EXPECT_EQ(result(R"({"a": {"ear_status": "affirming", "ear.status": "affirming"}})"),
            code::kClaims.code);
  EXPECT_EQ(result(R"({"a": "eyJ"})"), code::kClaims.code);
}

// By the number of its status: of the whole device, in CBOR.
std::string of_status(int64_t status, bool allow_warning) {
  Rules under = rules();
  under.allow_warning = allow_warning;
  CborWriter claims;
  claims.head(CborType::kMap, 3).integer(claim::kIssued).integer(kNow);
  claims.integer(claim::kProfile).text(kEarProfile).integer(claim::kEarStatus).integer(status);
  return cwt(claims, under);
}

TEST(Eat, a_warning_passes_where_the_policy_names_it_and_nothing_worse_does) {
  for (const int64_t affirming : {2, 31, -2, -32}) {
    EXPECT_EQ(of_status(affirming, false), "accepted") << affirming;
    EXPECT_EQ(of_status(affirming, true), "accepted") << affirming;
  }
  for (const int64_t warning : {32, 95, -33, -96}) {
    EXPECT_EQ(of_status(warning, false), code::kStatus.code) << warning;
    EXPECT_EQ(of_status(warning, true), "accepted") << warning;
  }
  for (const int64_t other : {96, 127, -97, -128, 0, 1, -1}) {
    EXPECT_EQ(of_status(other, false), code::kStatus.code) << other;
    EXPECT_EQ(of_status(other, true), code::kStatus.code) << other;
  }
  for (const int64_t none : {128, -129}) EXPECT_EQ(of_status(none, true), code::kClaims.code);
}

TEST(Eat, a_warning_is_named_by_the_one_key_that_says_so) {
  const auto under = [](std::string_view text) {
    const auto json = parse_json(text, "the policy");
    JsonObject object = *JsonObject::of(*json, "eat");
    Rules parsed = *parse_rules(object);
    parsed.keys = rules().keys;
    return parsed;
  };
  const auto result = [&](std::string_view claims, std::string_view policy) {
    return jwt(formatted(R"({{"iat": 1772323200, "eat_profile": "{}", {}}})", kEarProfile, claims),
               under(policy));
  };
  constexpr std::string_view kNamed = R"({"allow_warning": true})";
  for (const std::string_view claims :
       {R"("ear_status": "warning")", R"("ear.status": "warning")", R"("ear_status": 32)"}) {
    EXPECT_EQ(result(claims, kNamed), "accepted") << claims;
    for (const std::string_view policy :
         {"{}", R"({"allow_warning": false})", R"({"insecure_allow_debug": true})"})
      EXPECT_EQ(result(claims, policy), code::kStatus.code) << claims << policy;
  }
  const std::string inside =
      formatted(R"("submods": {{"a": {{"ear_status": "affirming", "submods": {}}}}})",
                R"({"b": {"ear_status": "warning"}})");
  EXPECT_EQ(result(inside, "{}"), "eat.status a/b");
  EXPECT_EQ(result(inside, kNamed), "accepted");
  EXPECT_EQ(
      result(R"("ear_status": "warning", "submods": {"a": {"ear_status": "contraindicated"}})",
             kNamed),
      "eat.status a")
      << "one warning covers nothing worse";
  for (const std::string_view wrong : {R"("ear_status": "Warning")", R"("ear_status": "32")",
                                       R"("ear_status": 32.0)", R"("ear_status": ["warning"])"})
    EXPECT_EQ(result(wrong, kNamed), code::kClaims.code) << wrong;
}

TEST(Eat, a_warning_that_passes_is_called_allowed_and_not_passed) {
  Rules under = rules();
  under.allow_warning = true;
  const std::string token =
      *make_jws(R"({"iat": 1772323200, "submods": {"a": {"ear_status": "warning"}}})", signer());
  const Judged verdict = judged(bytes_of(std::string_view(token)), under);
  const auto found = std::ranges::find(verdict.verdict.checks, code::kStatus.code, &Check::code);
  ASSERT_NE(found, verdict.verdict.checks.end());
  EXPECT_EQ(found->outcome, Outcome::kAllowed);
  EXPECT_EQ(found->subject, "a");
  EXPECT_EQ(found->actual, "warning");
}

TEST(Eat, times_that_cannot_be_read_are_none) {
  for (const std::string_view claim : {"iat", "exp", "nbf"}) {
    for (const std::string_view time :
         {R"("2026-03-01T00:00:00Z")", R"("1772323200")", "1772323200.0", "1e9", "null", "true",
          "[1772323200]", "9223372036854775808"}) {
      EXPECT_EQ(jwt(formatted(R"({{"{}": {}}})", claim, time)), code::kClaims.code) << time;
    }
  }
  for (const int64_t key : {claim::kIssued, claim::kExpires, claim::kNotBefore}) {
    CborWriter text;
    text.head(CborType::kMap, 1).integer(key).text("2026-03-01T00:00:00Z");
    EXPECT_EQ(cwt(text), code::kClaims.code) << key;
    CborWriter endless;
    endless.head(CborType::kMap, 1).integer(key).head(CborType::kUnsigned, UINT64_MAX);
    EXPECT_EQ(cwt(endless), code::kClaims.code) << key;
  }
}

TEST(Eat, results_that_we_write_are_accepted_by_those_who_know_our_key) {
  Verdict verdict;
  verdict.root = "sev-snp";
  verdict.passed = true;
  verdict.time_used_unix = kNow;
  verdict.checks.push_back({.code = "snp.signature", .outcome = Outcome::kPassed});
  const std::string text = *ear_jwt(verdict, {}, signer());
  EXPECT_EQ(judged(bytes_of(std::string_view(text)), rules()).outcome(), "accepted");
  EXPECT_EQ(judged(*ear_cwt(verdict, {}, signer()), rules()).outcome(), "accepted");
  verdict.passed = false;
  verdict.checks.back().outcome = Outcome::kFailed;
  EXPECT_EQ(judged(*ear_cwt(verdict, {}, signer()), rules()).outcome(), code::kStatus.code);
}

TEST(Eat, nothing_nests_or_repeats_without_end) {
  std::string deep = "{}";
  for (int i = 0; i < 5; ++i) deep = formatted(R"({{"submods": {{"a": {}}}}})", deep);
  EXPECT_EQ(jwt(deep), code::kClaims.code);
  CborWriter doubled;
  doubled.head(CborType::kMap, 2).integer(6).integer(kNow).integer(6).integer(kNow);
  EXPECT_EQ(cwt(doubled), code::kClaims.code);
  CborWriter many;
  many.head(CborType::kMap, 1).integer(10).head(CborType::kArray, 17);
  for (int i = 0; i < 17; ++i) many.bytes(std::vector<uint8_t>(8));
  EXPECT_EQ(cwt(many), code::kClaims.code);
  CborWriter endless;
  endless.head(CborType::kMap, UINT64_MAX);
  EXPECT_EQ(cwt(endless), code::kClaims.code);
  EXPECT_EQ(jwt("[]"), code::kClaims.code);
  EXPECT_EQ(jwt(R"({"iat": 1, "iat": 1772323200})"), code::kClaims.code);
}

TEST(EatRules, are_written_as_they_are_read_and_wrong_ones_are_refused) {
  const auto parse = [](std::string_view text) -> Result<Rules> {
    const auto json = TRY(parse_json(text, "the policy"));
    JsonObject object = TRY(JsonObject::of(json, "eat"));
    return parse_rules(object);
  };
  const auto rules = parse(formatted(R"({{"keys": [{}], "profiles": ["a"], "nonce": ["00ff"],
      "max_age_seconds": 60, "allow_warning": true}})",
                                     jwk_of(signer()).dump()));
  ASSERT_TRUE(rules) << rules.error().text;
  EXPECT_EQ(rules->max_age_seconds, 60);
  const auto again = parse(rules_json(*rules).dump());
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(rules_json(*again), rules_json(*rules));
  for (const std::string_view wrong :
       {R"({"keys": [{"kty": "oct"}]})", R"({"keys": {}})", R"({"profiles": [1]})",
        R"({"max_age_seconds": 0})", R"({"allow_debug": true})", R"({"nonce": ["zz"]})"}) {
    EXPECT_FALSE(parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace casemate::verify::eat
