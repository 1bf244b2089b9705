// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/ear/ear.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "outside/verdict/cbor_writer.h"
#include "outside/verify/cose/cose.h"
#include "outside/verify/ear/claims.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify {
namespace {

using EarJson = nlohmann::ordered_json;

constexpr std::string_view kDeveloper = "Casemate";
constexpr std::array<std::string_view, 5> kCategoryNames = {
    "instance-identity", "configuration", "executables", "file-system", "hardware"};

// Words in the codes of checks, and what they are about; what has none of them is about identity.
struct Word {
  std::string_view text;
  TrustCategory category;
};
constexpr std::array<Word, 28> kWords = {{{"tcb", TrustCategory::kHardware},
                                          {"firmware", TrustCategory::kHardware},
                                          {"security_version", TrustCategory::kHardware},
                                          {"mitigations", TrustCategory::kHardware},
                                          {"chip", TrustCategory::kHardware},
                                          {"product", TrustCategory::kHardware},
                                          {"module", TrustCategory::kHardware},
                                          {"fmspc", TrustCategory::kHardware},
                                          {"debug", TrustCategory::kConfiguration},
                                          {"guest_policy", TrustCategory::kConfiguration},
                                          {"platform_info", TrustCategory::kConfiguration},
                                          {"attributes", TrustCategory::kConfiguration},
                                          {"lifecycle", TrustCategory::kConfiguration},
                                          {"vmpl", TrustCategory::kConfiguration},
                                          {"xfam", TrustCategory::kConfiguration},
                                          {"manifest", TrustCategory::kConfiguration},
                                          {"peers", TrustCategory::kConfiguration},
                                          {"measurement", TrustCategory::kExecutables},
                                          {"reference", TrustCategory::kExecutables},
                                          {"golden", TrustCategory::kExecutables},
                                          {"enclave.program", TrustCategory::kExecutables},
                                          {"enclave.model", TrustCategory::kExecutables},
                                          {"enclave.device", TrustCategory::kExecutables},
                                          {"guest_svn", TrustCategory::kExecutables},
                                          {"rtmr", TrustCategory::kExecutables},
                                          {"log", TrustCategory::kExecutables},
                                          {"pcr", TrustCategory::kExecutables},
                                          {"mrsigner", TrustCategory::kExecutables}}};

constexpr int kAffirming = 2;
constexpr int kWarning = 32;
constexpr int kUnrecognizedRuntime = 33;
constexpr int kContraindicated = 96;
constexpr int kCryptographyFailed = 99;

bool cryptographic(std::string_view code) {
  return std::ranges::any_of(
      std::array<std::string_view, 4>{"signature", ".chain", "binder", "report_data"},
      [&](std::string_view word) { return code.contains(word); });
}

int value_of(const Check& check, TrustCategory category) {
  switch (check.outcome) {
    case Outcome::kPassed:
      return kAffirming;
    case Outcome::kAllowed:
      return category == TrustCategory::kExecutables ? kUnrecognizedRuntime : kWarning;
    case Outcome::kFailed:
      return cryptographic(check.code) ? kCryptographyFailed : kContraindicated;
    case Outcome::kNotRun:
      break;
  }
  return 0;
}

// By category: the worst of its checks; 0 where none ran.
std::array<int, kCategoryNames.size()> vector_of(const Verdict& verdict) {
  std::array<int, kCategoryNames.size()> vector{};
  for (const Check& check : verdict.checks) {
    const TrustCategory category = category_of(check.code);
    int& value = vector[static_cast<size_t>(category)];
    value = std::max(value, value_of(check, category));
  }
  return vector;
}

EarStatus status_of(const Verdict& verdict) {
  if (!verdict.passed) return EarStatus::kContraindicated;
  const bool allowed = std::ranges::contains(verdict.checks, Outcome::kAllowed, &Check::outcome);
  return allowed || verdict.development_root || !verdict.weakened.empty() ? EarStatus::kWarning
                                                                          : EarStatus::kAffirming;
}

std::string label_of(const Verdict& verdict) {
  return verdict.root.empty() ? "unknown" : verdict.root;
}

bool sound_nonce(Bytes nonce) { return nonce.size() >= 8 && nonce.size() <= 64; }

}  // namespace

TrustCategory category_of(std::string_view check_code) {
  const auto found = std::ranges::find_if(
      kWords, [&](const Word& word) { return check_code.contains(word.text); });
  return found == kWords.end() ? TrustCategory::kInstanceIdentity : found->category;
}

std::string ear_json(const Verdict& verdict, const EarContext& context) {
  const std::string_view status = name_of(status_of(verdict));
  EarJson appraisal = {{"ear_status", status}};
  const auto vector = vector_of(verdict);
  for (size_t i = 0; i < vector.size(); ++i) {
    if (vector[i] != 0) appraisal["ear_trustworthiness_vector"][kCategoryNames[i]] = vector[i];
  }
  if (sound_nonce(context.evidence_nonce))
    appraisal["eat_nonce"] = to_base64url(context.evidence_nonce);
  EarJson claims = {{"eat_profile", kEarProfile},
                    {"iat", verdict.time_used_unix},
                    {"ear_verifier_id", {{"developer", kDeveloper}, {"build", context.build}}},
                    {"ear_status", status},
                    {"submods", {{label_of(verdict), appraisal}}}};
  if (sound_nonce(context.nonce)) claims["eat_nonce"] = to_base64url(context.nonce);
  return claims.dump(-1, ' ', true, EarJson::error_handler_t::replace);
}

std::vector<uint8_t> ear_cbor(const Verdict& verdict, const EarContext& context) {
  const auto status = static_cast<int64_t>(status_of(verdict));
  const bool nonce = sound_nonce(context.nonce);
  const bool evidence_nonce = sound_nonce(context.evidence_nonce);
  const auto vector = vector_of(verdict);
  CborWriter values;
  for (size_t i = 0; i < vector.size(); ++i) {
    if (vector[i] != 0) values.integer(static_cast<int64_t>(i)).integer(vector[i]);
  }
  const auto ran = vector.size() - static_cast<size_t>(std::ranges::count(vector, 0));
  CborWriter claims;
  claims.head(CborType::kMap, nonce ? 6 : 5).integer(claim::kIssued);
  claims.integer(verdict.time_used_unix);
  if (nonce) claims.integer(claim::kNonce).bytes(context.nonce);
  claims.integer(claim::kProfile).text(kEarProfile);
  claims.integer(claim::kSubmodules).head(CborType::kMap, 1).text(label_of(verdict));
  claims.head(CborType::kMap, evidence_nonce ? 3 : 2);
  if (evidence_nonce) claims.integer(claim::kNonce).bytes(context.evidence_nonce);
  claims.integer(claim::kEarStatus).integer(status);
  claims.integer(claim::kEarVector).head(CborType::kMap, ran).raw(values.written());
  claims.integer(claim::kEarStatus).integer(status);
  claims.integer(claim::kEarVerifier).head(CborType::kMap, 2);
  claims.integer(0).text(kDeveloper).integer(1).text(context.build);
  return claims.written();
}

Result<std::string> ear_jwt(const Verdict& verdict, const EarContext& context,
                            const SigningKey& key) {
  return make_jws(ear_json(verdict, context), key);
}

Result<std::vector<uint8_t>> ear_cwt(const Verdict& verdict, const EarContext& context,
                                     const SigningKey& key) {
  CborWriter token;
  token.head(CborType::kTag, kCwtTag).raw(TRY(make_sign1(ear_cbor(verdict, context), key)));
  return token.written();
}

Result<std::vector<uint8_t>> ear_file(const Verdict& verdict, const EarContext& context,
                                      std::string_view name, std::string_view key_pem) {
  const SigningKey key = TRY(signing_key_in_pem(key_pem));
  if (name.ends_with(".cwt") || name.ends_with(".cbor")) return ear_cwt(verdict, context, key);
  const std::string token = TRY(ear_jwt(verdict, context, key));
  return std::vector<uint8_t>(token.begin(), token.end());
}

}  // namespace casemate::verify
