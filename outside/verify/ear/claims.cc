// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/ear/claims.h"

#include <array>
#include <set>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/cbor.h"
#include "outside/verdict/strict_json.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify {
namespace {

using ClaimsJson = nlohmann::json;

constexpr size_t kNonces = 16;
constexpr size_t kSubmodules = 64;
constexpr std::array<std::string_view, 5> kDebugNames = {
    "enabled", "disabled", "disabled-since-boot", "disabled-permanently",
    "disabled-fully-and-permanently"};

Error claim_should(std::string_view name, std::string_view what) {
  return {Code::kInvalid, formatted("the claim {} should be {}", name, what)};
}

Status add_nonce(Bytes nonce, EatClaims& claims) {
  if (nonce.size() < 8 || nonce.size() > 64) return claim_should("eat_nonce", "8 to 64 bytes long");
  if (claims.nonces.size() == kNonces) return claim_should("eat_nonce", "at most 16 values");
  claims.nonces.emplace_back(nonce.begin(), nonce.end());
  return {};
}

Status set_ueid(Bytes ueid, EatClaims& claims) {
  if (ueid.size() < 7 || ueid.size() > 33) return claim_should("ueid", "7 to 33 bytes long");
  claims.ueid.assign(ueid.begin(), ueid.end());
  return {};
}

Status set_debug(int64_t value, EatClaims& claims) {
  if (value < 0 || value >= static_cast<int64_t>(kDebugNames.size()))
    return claim_should("dbgstat", "one of five states");
  claims.debug = static_cast<DebugStatus>(value);
  return {};
}

// Values of a trustworthiness claim: below 32 affirming, below 96 warning.
Result<EarStatus> tier_of(int64_t value) {
  if (value < -128 || value > 127) return claim_should("ear_status", "a number of one byte");
  if (value >= 96 || value <= -97) return EarStatus::kContraindicated;
  if (value >= 32 || value <= -33) return EarStatus::kWarning;
  return value >= 2 || value < -1 ? EarStatus::kAffirming : EarStatus::kNone;
}

Result<std::vector<uint8_t>> base64_claim(const ClaimsJson& value, std::string_view name) {
  if (!value.is_string()) return claim_should(name, "base64url text");
  auto bytes = from_base64url(value.get_ref<const std::string&>());
  if (!bytes) return claim_should(name, "base64url text");
  return *std::move(bytes);
}

Result<int64_t> time_claim(const ClaimsJson& value, std::string_view name) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX))
    return claim_should(name, "a whole number of seconds");
  return value.get<int64_t>();
}

Status nonces_in(const ClaimsJson& value, EatClaims& claims) {
  if (!value.is_array()) return add_nonce(TRY(base64_claim(value, "eat_nonce")), claims);
  for (const ClaimsJson& nonce : value)
    TRY(add_nonce(TRY(base64_claim(nonce, "eat_nonce")), claims));
  return {};
}

// Names in drafts before the fourth had a point where there is a line now.
Result<EarStatus> status_in(const ClaimsJson& value) {
  if (value.is_number_integer()) return tier_of(TRY(time_claim(value, "ear_status")));
  for (const EarStatus status : {EarStatus::kNone, EarStatus::kAffirming, EarStatus::kWarning,
                                 EarStatus::kContraindicated}) {
    if (value.is_string() && value.get_ref<const std::string&>() == name_of(status)) return status;
  }
  return claim_should("ear_status", "one of four tiers");
}

Result<EatClaims> claims_in(const ClaimsJson& json, int depth);

Status submodules_in(const ClaimsJson& value, int depth, EatClaims& claims) {
  if (!value.is_object() || value.size() > kSubmodules)
    return claim_should("submods", "an object of at most 64 submodules");
  for (const auto& [name, inner] : value.items()) {
    if (!inner.is_object())
      return Error{Code::kUnsupported, formatted("the submodule {} is a token of its own, which "
                                                 "this build does not follow",
                                                 printable(name, 64))};
    const std::string label = printable(name, 64);
    if (!claims.submodules.emplace(label, TRY(claims_in(inner, depth + 1))).second)
      return claim_should("submods", "of different names");
  }
  return {};
}

Status claim_in(std::string_view key, const ClaimsJson& value, int depth, EatClaims& claims) {
  if (key == "eat_profile") {
    if (!value.is_string()) return claim_should(key, "text");
    claims.profile = printable(value.get_ref<const std::string&>(), 128);
  } else if (key == "eat_nonce") {
    TRY(nonces_in(value, claims));
  } else if (key == "ueid") {
    TRY(set_ueid(TRY(base64_claim(value, key)), claims));
  } else if (key == "dbgstat") {
    const auto found = std::ranges::find(
        kDebugNames, value.is_string() ? value.get_ref<const std::string&>() : std::string());
    TRY(set_debug(found - kDebugNames.begin(), claims));
  } else if (key == "iat") {
    claims.issued = TRY(time_claim(value, key));
  } else if (key == "exp") {
    claims.expires = TRY(time_claim(value, key));
  } else if (key == "nbf") {
    claims.not_before = TRY(time_claim(value, key));
  } else if (key == "ear_status" || key == "ear.status") {
    if (claims.status) return claim_should(key, "there once");
    claims.status = TRY(status_in(value));
  } else if (key == "submods") {
    TRY(submodules_in(value, depth, claims));
  }
  return {};
}

Result<EatClaims> claims_in(const ClaimsJson& json, int depth) {
  if (depth > EatClaims::kDepth) return claim_should("submods", "at most 4 deep");
  if (!json.is_object()) return Error{Code::kInvalid, "the claims should be an object {...}"};
  EatClaims claims;
  for (const auto& [key, value] : json.items()) TRY(claim_in(key, value, depth, claims));
  return claims;
}

Result<EatClaims> claims_in(CborReader& reader, int depth);

Status nonces_in(CborReader& reader, EatClaims& claims) {
  if (reader.next() != CborType::kArray) return add_nonce(TRY(reader.bytes("eat_nonce")), claims);
  const uint64_t count = TRY(reader.head(CborType::kArray, "eat_nonce"));
  for (uint64_t i = 0; i < count; ++i) TRY(add_nonce(TRY(reader.bytes("eat_nonce")), claims));
  return {};
}

Status submodules_in(CborReader& reader, int depth, EatClaims& claims) {
  const uint64_t count = TRY(reader.head(CborType::kMap, "submods"));
  if (count > kSubmodules) return claim_should("submods", "at most 64 submodules");
  for (uint64_t i = 0; i < count; ++i) {
    const std::string label = printable(TRY(reader.text("the name of a submodule")), 64);
    if (reader.next() != CborType::kMap)
      return Error{Code::kUnsupported, formatted("the submodule {} is a token of its own, which "
                                                 "this build does not follow",
                                                 label)};
    if (!claims.submodules.emplace(label, TRY(claims_in(reader, depth + 1))).second)
      return claim_should("submods", "of different names");
  }
  return {};
}

Status claim_in(int64_t key, CborReader& reader, int depth, EatClaims& claims) {
  if (key == claim::kProfile) {
    claims.profile = printable(TRY(reader.text("eat_profile")), 128);
  } else if (key == claim::kNonce) {
    TRY(nonces_in(reader, claims));
  } else if (key == claim::kUeid) {
    TRY(set_ueid(TRY(reader.bytes("ueid")), claims));
  } else if (key == claim::kDebug) {
    TRY(set_debug(TRY(reader.integer("dbgstat")), claims));
  } else if (key == claim::kIssued) {
    claims.issued = TRY(reader.integer("iat"));
  } else if (key == claim::kExpires) {
    claims.expires = TRY(reader.integer("exp"));
  } else if (key == claim::kNotBefore) {
    claims.not_before = TRY(reader.integer("nbf"));
  } else if (key == claim::kEarStatus) {
    claims.status = TRY(tier_of(TRY(reader.integer("ear_status"))));
  } else if (key == claim::kSubmodules) {
    TRY(submodules_in(reader, depth, claims));
  } else {
    TRY(reader.skip("a claim"));
  }
  return {};
}

Result<EatClaims> claims_in(CborReader& reader, int depth) {
  if (depth > EatClaims::kDepth) return claim_should("submods", "at most 4 deep");
  EatClaims claims;
  std::set<int64_t> seen;
  const uint64_t count = TRY(reader.head(CborType::kMap, "the claims"));
  for (uint64_t i = 0; i < count; ++i) {
    if (reader.next() == CborType::kText) {
      TRY(reader.text("the name of a claim"));
      TRY(reader.skip("a claim"));
      continue;
    }
    const int64_t key = TRY(reader.integer("the number of a claim"));
    if (!seen.insert(key).second)
      return Error{Code::kInvalid, formatted("the claim {} is there twice", key)};
    TRY(claim_in(key, reader, depth, claims));
  }
  return claims;
}

}  // namespace

std::string_view name_of(EarStatus status) {
  switch (status) {
    case EarStatus::kAffirming:
      return "affirming";
    case EarStatus::kWarning:
      return "warning";
    case EarStatus::kContraindicated:
      return "contraindicated";
    case EarStatus::kNone:
      break;
  }
  return "none";
}

Result<EatClaims> eat_claims_in_json(std::string_view text) {
  return claims_in(TRY(parse_json(text, "the claims")), 0);
}

Result<EatClaims> eat_claims_in_cbor(Bytes bytes) {
  CborReader reader(bytes);
  EatClaims claims = TRY(claims_in(reader, 0));
  TRY(reader.end("the claims"));
  return claims;
}

}  // namespace casemate::verify
