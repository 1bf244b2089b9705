// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/verify.h"

#include <gtest/gtest.h>

#include <set>

#include "outside/verify/codes.h"
#include "outside/verify/pins.h"
#include "outside/verify/testing/signer.h"

namespace casemate::verify {
namespace {

using testing::kNow;
using testing::Signer;

Policy development() {
  Policy policy;
  policy.allow_software_root = true;
  return policy;
}

// The verdict on what `signer` made, for its own key, under `policy`.
Verdict judge(const Signer& signer, const Policy& policy = development(),
              Expectation expected = {}) {
  if (expected.tls_key.empty()) expected.tls_key = signer.tls.public_der();
  if (expected.now_unix == 0) expected.now_unix = kNow;
  return verify_evidence(signer.evidence(), expected, policy);
}

// The code of the first failure; "passed" when there is none.
std::string outcome(const Verdict& verdict) {
  const Check* failure = verdict.first_failure();
  if (failure == nullptr) return verdict.passed ? "passed" : "not passed, and nothing failed";
  EXPECT_FALSE(verdict.passed);
  EXPECT_FALSE(failure->expected.empty() || failure->actual.empty()) << failure->code;
  return std::string(failure->code);
}

// What happens to signed evidence after `bend` changed it.
std::string after(auto bend) {
  Signer signer;
  signer.add_model("digits");
  signer.sign();
  bend(signer);
  return outcome(judge(signer));
}

// What happens when everything is signed after `bend` changed it: the signer itself lies.
std::string signed_after(auto bend, const Policy& policy = development()) {
  Signer signer;
  signer.add_model("digits");
  bend(signer);
  signer.sign();
  return outcome(judge(signer, policy));
}

TEST(Verify, good_evidence_passes_every_check) {
  Signer signer;
  signer.add_model("digits");
  signer.sign();
  const Verdict verdict = judge(signer);
  EXPECT_EQ(outcome(verdict), "passed");
  EXPECT_TRUE(verdict.development_root);
  EXPECT_EQ(verdict.status(), "verified-development");
  EXPECT_EQ(verdict.tokens.size(), 2u);
  EXPECT_GE(verdict.checks.size(), 31u);
}

TEST(Verify, a_development_root_is_refused_unless_the_policy_allows_it) {
  Signer signer;
  signer.sign();
  const Verdict verdict = judge(signer, Policy{});
  EXPECT_EQ(outcome(verdict), code::kRootKind);
  EXPECT_NE(std::string(verdict.next()).find("--allow-software-root"), std::string::npos);
}

TEST(Verify, a_policys_no_does_not_hide_the_checks_behind_it) {
  Signer signer;
  signer.sign();
  for (const Check& check : judge(signer, Policy{}).checks) {
    EXPECT_EQ(check.outcome == Outcome::kFailed, check.code == code::kRootKind) << check.code;
    EXPECT_NE(check.outcome, Outcome::kNotRun) << check.code;
  }
}

TEST(Verify, what_the_policy_lets_pass_is_not_called_passed) {
  Signer signer;
  signer.sign();
  const Verdict verdict = judge(signer);
  ASSERT_TRUE(verdict.passed);
  std::set<std::string_view> allowed;
  for (const Check& check : verdict.checks) {
    if (check.outcome == Outcome::kAllowed) allowed.insert(check.code);
  }
  EXPECT_EQ(allowed, (std::set<std::string_view>{code::kRootKind, code::kRootKey, code::kPlatform,
                                                 code::kProgram, code::kManifest, code::kDevice,
                                                 code::kPeers}));
  EXPECT_NE(text_of(verdict).find("allowed root.kind"), std::string::npos);
  EXPECT_NE(text_of(verdict).find("[found a development root, made in software]"),
            std::string::npos);
}

TEST(Verify, what_follows_from_a_broken_link_is_listed_as_not_run) {
  Signer signer;
  signer.sign();
  signer.quote.signature[0] ^= 1;
  const Verdict verdict = judge(signer);
  bool behind = false;
  for (const Check& check : verdict.checks) {
    const bool broken = check.code == code::kQuoteSignature;
    EXPECT_EQ(check.outcome, broken   ? Outcome::kFailed
                             : behind ? Outcome::kNotRun
                                      : Outcome::kPassed)
        << check.code;
    behind = behind || broken;
  }
  EXPECT_TRUE(behind);
}

TEST(Verify, one_bent_bit_anywhere_is_refused) {
  Signer signer;
  signer.add_model("digits");
  signer.sign();
  const Expectation expected{.tls_key = signer.tls.public_der(), .now_unix = kNow};
  const std::vector<uint8_t> good = signer.evidence();
  std::vector<uint8_t> bytes = good;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(good[i] ^ 1 << i % 8);
    EXPECT_FALSE(verify_evidence(bytes, expected, development()).passed) << "byte " << i;
    bytes[i] = good[i];
  }
}

TEST(Verify, evidence_cut_at_any_byte_is_refused) {
  Signer signer;
  signer.sign();
  const Expectation expected{.tls_key = signer.tls.public_der(), .now_unix = kNow};
  const std::vector<uint8_t> bytes = signer.evidence();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(outcome(verify_evidence(Bytes(bytes).first(size), expected, development())),
              code::kForm);
  }
}

TEST(Verify, each_bent_field_of_the_quote_breaks_its_signature) {
  const auto bent = [](auto field) {
    return after([&](Signer& s) { mutable_bytes_of(s.quote.*field)[0] ^= 2; });
  };
  EXPECT_EQ(bent(&SoftwareQuote::magic), code::kQuoteForm);
  EXPECT_EQ(bent(&SoftwareQuote::version), code::kQuoteForm);
  EXPECT_EQ(bent(&SoftwareQuote::flags), code::kQuoteForm);
  EXPECT_EQ(bent(&SoftwareQuote::reserved), code::kQuoteForm);
  EXPECT_EQ(bent(&SoftwareQuote::security_version), code::kQuoteSignature);
  EXPECT_EQ(bent(&SoftwareQuote::issued_unix), code::kQuoteSignature);
  EXPECT_EQ(bent(&SoftwareQuote::report_data), code::kQuoteSignature);
  EXPECT_EQ(bent(&SoftwareQuote::platform_measurement), code::kQuoteSignature);
  EXPECT_EQ(bent(&SoftwareQuote::signature), code::kQuoteSignature);
}

TEST(Verify, each_bent_field_of_a_token_breaks_its_signature) {
  for (const size_t which : {0, 1}) {
    const auto bent = [which](auto field) {
      return after([&](Signer& s) { mutable_bytes_of(s.tokens[which].*field)[0] ^= 1; });
    };
    EXPECT_EQ(bent(&EnclaveToken::magic), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::version), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::flags), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::enclave), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::epoch), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::kind), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::model_version), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::issued_unix), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::nonce), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::program_measurement), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::manifest_measurement), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::model_measurement), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::device_measurement), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::key_hash), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::peers_measurement), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::name), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::device), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::reserved), code::kTokenSignature);
    EXPECT_EQ(bent(&EnclaveToken::signature), code::kTokenSignature);
  }
}

TEST(Verify, signatures_of_zero_or_of_the_order_and_more_are_refused) {
  EXPECT_EQ(after([](Signer& s) { s.quote.signature = {}; }), code::kQuoteSignature);
  EXPECT_EQ(after([](Signer& s) { s.quote.signature.fill(0xFF); }), code::kQuoteSignature);
  EXPECT_EQ(after([](Signer& s) { s.tokens[0].signature = {}; }), code::kTokenSignature);
  EXPECT_EQ(after([](Signer& s) { s.tokens[1].signature.fill(0xFF); }), code::kTokenSignature);
}

TEST(Verify, an_unknown_quote_format_is_said_to_be_unknown) {
  Signer signer;
  signer.sign();
  const std::vector<uint8_t> bytes = encode_evidence({}, signer.claims, signer.tokens);
  const Expectation expected{.tls_key = signer.tls.public_der(), .now_unix = kNow};
  EXPECT_EQ(outcome(verify_evidence(bytes, expected, development())), code::kQuoteForm);
  const std::vector<uint8_t> longer(sizeof(SoftwareQuote) + 1, 0);
  EXPECT_EQ(outcome(verify_evidence(encode_evidence(longer, signer.claims, signer.tokens), expected,
                                    development())),
            code::kQuoteForm);
  std::vector<uint8_t> trailing = signer.whole_quote();
  trailing.push_back(0);
  EXPECT_EQ(outcome(verify_evidence(encode_evidence(trailing, signer.claims, signer.tokens),
                                    expected, development())),
            code::kQuoteForm);
}

TEST(Verify, claims_swapped_between_two_bundles_are_refused) {
  Signer other;
  other.sign();
  EXPECT_EQ(after([&](Signer& s) { s.claims = other.claims; }), code::kReportData);
  EXPECT_EQ(after([&](Signer& s) { s.quote = other.quote; }), code::kQuoteSignature);
  EXPECT_EQ(after([&](Signer& s) {
              s.quote = other.quote;
              s.chain = other.chain;
            }),
            code::kReportData);
  EXPECT_EQ(after([&](Signer& s) { s.tokens[0] = other.tokens[0]; }), code::kTokenSignature);
}

TEST(Verify, report_data_with_anything_behind_the_hash_are_refused) {
  EXPECT_EQ(after([](Signer& s) {
              s.quote.report_data[63] = 1;
              s.sign_quote();
            }),
            code::kReportData);
}

TEST(Verify, claims_of_another_form_are_refused_though_the_quote_commits_to_them) {
  EXPECT_EQ(after([](Signer& s) {
              s.claims.push_back(0);
              s.quote.report_data = report_data_of(s.claims);
              s.sign_quote();
            }),
            code::kClaimsForm);
}

TEST(Verify, evidence_of_one_enclave_shown_with_the_key_of_another_is_refused) {
  Signer signer;
  signer.sign();
  const Signer other;
  EXPECT_EQ(outcome(judge(signer, development(), {.tls_key = other.tls.public_der()})),
            code::kTlsKey);
  EXPECT_EQ(outcome(verify_evidence(signer.evidence(), {.now_unix = kNow}, development())),
            code::kTlsKey)
      << "no key at all";
}

TEST(Verify, claims_for_our_key_cannot_vouch_for_a_gateway_with_another_key) {
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[0].key_hash[0] ^= 1; }), code::kTokenKey);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[0].key_hash = {}; }), code::kTokenKey);
}

void claim(Signer& s, KeyUse use) {
  s.claims = encode_claims(sha256(s.tls.public_der()), s.quote.platform_measurement,
                           s.monitor.public_der(), use);
  s.quote.report_data = report_data_of(s.claims);
  s.sign_quote();
}

TEST(Verify, a_key_that_a_models_key_is_wrapped_for_is_no_tls_key) {
  EXPECT_EQ(after([](Signer& s) { claim(s, KeyUse::kTls); }), "passed");
  EXPECT_EQ(after([](Signer& s) { claim(s, KeyUse::kHpke); }), code::kKeyUse);
}

TEST(Verify, a_model_alone_shows_its_own_key_and_token_of_its_own_version) {
  Signer signer;
  signer.tokens.clear();
  EnclaveToken& token = signer.add_model("digits");
  token.model_version = 2;
  token.key_hash = sha384(signer.tls.public_der());
  signer.sign();
  claim(signer, KeyUse::kHpke);
  const auto refused = [&](uint32_t version) {
    return outcome(judge(signer, development(),
                         {.model = "digits", .model_version = version, .model_alone = true}));
  };
  EXPECT_EQ(refused(2), "passed");
  EXPECT_EQ(refused(3), code::kModelName);
  signer.tokens[0].key_hash[0] ^= 1;
  signer.sign_tokens();
  EXPECT_EQ(refused(2), code::kTokenHpkeKey);
  claim(signer, KeyUse::kTls);
  EXPECT_EQ(refused(2), code::kKeyUse) << "a gateway's key opens no model";
}

TEST(Verify, a_monitor_key_that_is_none_is_refused) {
  EXPECT_EQ(after([](Signer& s) {
              s.claims = encode_claims(sha256(s.tls.public_der()), s.quote.platform_measurement,
                                       bytes_of(std::string_view("no")));
              s.quote.report_data = report_data_of(s.claims);
              s.sign_quote();
            }),
            code::kMonitorKey);
}

TEST(Verify, claims_of_another_monitor_than_the_quote_measures_are_refused) {
  EXPECT_EQ(after([](Signer& s) {
              s.claims = encode_claims(sha256(s.tls.public_der()), testing::digest_of("other"),
                                       s.monitor.public_der());
              s.quote.report_data = report_data_of(s.claims);
              s.sign_quote();
            }),
            code::kMonitor);
}

TEST(Verify, a_token_signed_by_another_monitor_is_refused) {
  Signer other;
  other.add_model("digits");
  other.sign();
  EXPECT_EQ(after([&](Signer& s) { s.tokens[1] = other.tokens[1]; }), code::kTokenSignature);
  EXPECT_EQ(after([](Signer& s) {
              const auto signature = s.root.sign(s.tokens[0].signed_bytes());
              s.tokens[0].signature = *signature;
            }),
            code::kTokenSignature)
      << "not even the root may sign a token";
}

TEST(Verify, evidence_without_the_gateways_token_is_refused) {
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens.clear(); }), code::kTokens);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens.erase(s.tokens.begin()); }), code::kTokenKind);
  EXPECT_EQ(signed_after([](Signer& s) { std::swap(s.tokens[0], s.tokens[1]); }), code::kTokenKind);
}

TEST(Verify, a_second_gateway_or_an_unknown_kind_among_the_models_is_refused) {
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].kind = 1; }), code::kTokenKind);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].kind = 3; }), code::kTokenKind);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[0].kind = 0; }), code::kTokenKind);
}

TEST(Verify, two_tokens_of_one_enclave_are_refused) {
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens.push_back(s.tokens[1]); }), code::kTokenKind);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].enclave = s.tokens[0].enclave; }),
            code::kTokenKind);
}

TEST(Verify, a_gateway_that_carries_a_models_measurement_is_refused) {
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[0].model_measurement[0] = 1; }),
            code::kTokenKind);
}

TEST(Verify, a_token_of_another_form_is_refused_though_signed) {
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[0].magic ^= 1; }), code::kTokenForm);
  EXPECT_EQ(signed_after([](Signer& s) { ++s.tokens[0].version; }), code::kTokenForm);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].flags = 2; }), code::kTokenForm);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].reserved.back() = 1; }), code::kTokenForm);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].name.characters.fill('x'); }),
            code::kTokenForm);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].device.characters[20] = 'x'; }),
            code::kTokenForm);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].enclave = 5; }), code::kTokenForm)
      << "partition 0 is the monitor";
}

TEST(Verify, a_replayed_or_missing_nonce_is_refused) {
  Nonce ours{};
  ours.fill(7);
  Nonce earlier{};
  earlier.fill(6);
  Signer signer;
  signer.add_model("digits");
  signer.set_nonce(ours);
  signer.sign();
  EXPECT_EQ(outcome(judge(signer, development(), {.nonce = ours})), "passed");
  EXPECT_EQ(outcome(judge(signer, development(), {.nonce = earlier})), code::kTokenNonce);
  EXPECT_EQ(outcome(judge(signer)), code::kTokenNonce) << "cached evidence carries no nonce";
  signer.set_nonce({});
  signer.sign();
  EXPECT_EQ(outcome(judge(signer, development(), {.nonce = ours})), code::kTokenNonce);
  signer.tokens[0].nonce = ours;
  signer.sign();
  EXPECT_EQ(outcome(judge(signer, development(), {.nonce = ours})), code::kTokenNonce)
      << "a fresh gateway does not make a stale model fresh";
}

TEST(Verify, debug_flags_are_refused_unless_the_policy_allows_them) {
  const auto quote = [](Signer& s) { s.quote.flags = SoftwareQuote::kDebug; };
  const auto gateway = [](Signer& s) { s.tokens[0].flags = EnclaveToken::kDebug; };
  const auto model = [](Signer& s) { s.tokens[1].flags = EnclaveToken::kDebug; };
  EXPECT_EQ(signed_after(quote), code::kQuoteDebug);
  EXPECT_EQ(signed_after(gateway), code::kTokenDebug);
  EXPECT_EQ(signed_after(model), code::kTokenDebug);
  Policy policy = development();
  policy.insecure_allow_debug = true;
  EXPECT_EQ(signed_after(quote, policy), "passed");
  EXPECT_EQ(signed_after(gateway, policy), "passed");
  EXPECT_EQ(signed_after(model, policy), "passed");
}

TEST(Verify, times_in_the_future_or_too_long_ago_are_refused) {
  constexpr int64_t kWeek = Policy::kMaxAgeSeconds;
  const auto quote = [](int64_t at) {
    return signed_after([=](Signer& s) { s.quote.issued_unix = at; });
  };
  const auto model = [](int64_t at) {
    return signed_after([=](Signer& s) { s.tokens[1].issued_unix = at; });
  };
  EXPECT_EQ(quote(kNow + kClockSkewSeconds), "passed");
  EXPECT_EQ(quote(kNow + kClockSkewSeconds + 1), code::kQuoteIssued);
  EXPECT_EQ(quote(kNow - kWeek), "passed");
  EXPECT_EQ(quote(kNow - kWeek - 1), code::kQuoteIssued);
  EXPECT_EQ(quote(INT64_MAX), code::kQuoteIssued);
  EXPECT_EQ(quote(INT64_MIN), code::kQuoteIssued);
  EXPECT_EQ(model(kNow + kClockSkewSeconds), "passed");
  EXPECT_EQ(model(kNow + kClockSkewSeconds + 1), code::kTokenIssued);
  EXPECT_EQ(model(kNow - kWeek), "passed");
  EXPECT_EQ(model(kNow - kWeek - 1), code::kTokenIssued);
  EXPECT_EQ(model(INT64_MIN), code::kTokenIssued);
}

TEST(Verify, an_older_epoch_of_the_gateway_than_already_seen_is_refused) {
  Signer signer;
  signer.tokens[0].epoch = 4;
  signer.sign();
  EXPECT_EQ(outcome(judge(signer, development(), {.gateway_epoch_min = 4})), "passed");
  EXPECT_EQ(outcome(judge(signer, development(), {.gateway_epoch_min = 5})), code::kTokenEpoch);
}

TEST(Verify, the_token_of_another_model_than_asked_for_is_refused) {
  Signer signer;
  signer.sign();
  EXPECT_EQ(outcome(judge(signer, development(), {.model = "digits"})), code::kModelName)
      << "no model at all";
  signer.add_model("faces");
  signer.sign();
  EXPECT_EQ(outcome(judge(signer, development(), {.model = "digits"})), code::kModelName);
  EXPECT_EQ(outcome(judge(signer, development(), {.model = "faces"})), "passed");
  signer.add_model("digits");
  signer.sign();
  EXPECT_EQ(outcome(judge(signer, development(), {.model = "digits"})), code::kModelName)
      << "the right model does not bring in another";
}

// Everything that a policy can pin, pinned to what the signer makes.
Policy pinned() {
  Signer signer;
  signer.add_model("digits");
  signer.sign();
  Policy policy = pinned_policy(judge(signer));
  policy.software_roots.clear();  // every signer has keys of its own
  return policy;
}

TEST(Verify, a_pinned_policy_accepts_what_it_was_made_from) {
  Signer signer;
  signer.add_model("digits");
  signer.sign();
  const Policy policy = pinned_policy(judge(signer));
  EXPECT_EQ(outcome(judge(signer, policy)), "passed");
  EXPECT_EQ(judge(signer, policy).weakened.size(), 1u) << "the development root itself";
  Signer other;
  other.add_model("digits");
  other.sign();
  EXPECT_EQ(outcome(judge(other, policy)), code::kRootKey);
}

TEST(Verify, each_pinned_field_is_held_against_the_evidence) {
  const auto bent_token = [](size_t which, auto field) {
    return signed_after([=](Signer& s) { (s.tokens[which].*field)[0] ^= 1; }, pinned());
  };
  EXPECT_EQ(bent_token(0, &EnclaveToken::program_measurement), code::kProgram);
  EXPECT_EQ(bent_token(0, &EnclaveToken::manifest_measurement), code::kManifest);
  EXPECT_EQ(bent_token(0, &EnclaveToken::device_measurement), code::kDevice);
  EXPECT_EQ(bent_token(0, &EnclaveToken::peers_measurement), code::kPeers);
  EXPECT_EQ(bent_token(1, &EnclaveToken::program_measurement), code::kProgram);
  EXPECT_EQ(bent_token(1, &EnclaveToken::manifest_measurement), code::kManifest);
  EXPECT_EQ(bent_token(1, &EnclaveToken::model_measurement), code::kModel);
  EXPECT_EQ(bent_token(1, &EnclaveToken::device_measurement), code::kDevice);
  EXPECT_EQ(bent_token(1, &EnclaveToken::peers_measurement), code::kTokenLine);
  EXPECT_EQ(signed_after([](Signer& s) { s.quote.platform_measurement[0] ^= 1; }, pinned()),
            code::kPlatform);
  EXPECT_EQ(signed_after([](Signer& s) { s.quote.security_version = 2; }, pinned()),
            code::kSecurityVersion);
  EXPECT_EQ(signed_after([](Signer& s) { s.tokens[1].name = Text<64>::from("faces"); }, pinned()),
            code::kModelName);
}

TEST(Verify, a_refusal_shows_the_expected_and_the_actual_value) {
  Policy policy = pinned();
  Signer signer;
  signer.add_model("digits").program_measurement = testing::digest_of("patched");
  signer.sign();
  const Verdict verdict = judge(signer, policy);
  const Check* failure = verdict.first_failure();
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->subject, "model digits");
  EXPECT_EQ(failure->expected, to_hex(testing::digest_of("digits program")));
  EXPECT_EQ(failure->actual, to_hex(testing::digest_of("patched")));
}

}  // namespace
}  // namespace casemate::verify
