// SPDX-License-Identifier: Apache-2.0
#pragma once
// Claims of entity attestation tokens (EAT, RFC 9711) and attestation results (EAR), brought from
// JSON or CBOR into one form. A token says something about a whole device, and about its
// submodules in turn.
//
//   Owns     values; texts are printable and cut to length.
//   Threads  pure functions.
//   Trust    hostile until the token's signature was checked. Claims that nobody knows are passed
//            over.
//   Fails    kInvalid with the claim and what it should be; kUnsupported for a submodule that is a
//            token of its own.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

inline constexpr std::string_view kEarProfile = "tag:ietf.org,2026:rats/ear#04";
inline constexpr uint64_t kCwtTag = 61;

// Keys of claims in CBOR (IANA, CBOR web token claims).
namespace claim {
inline constexpr int64_t kExpires = 4;
inline constexpr int64_t kNotBefore = 5;
inline constexpr int64_t kIssued = 6;
inline constexpr int64_t kNonce = 10;
inline constexpr int64_t kUeid = 256;
inline constexpr int64_t kDebug = 263;
inline constexpr int64_t kProfile = 265;
inline constexpr int64_t kSubmodules = 266;
inline constexpr int64_t kEarStatus = 1000;
inline constexpr int64_t kEarVector = 1001;
inline constexpr int64_t kEarVerifier = 1004;
}  // namespace claim

// RFC 9711, section 4.2.9.
enum class DebugStatus : uint8_t {
  kEnabled = 0,
  kDisabled = 1,
  kDisabledSinceBoot = 2,
  kDisabledPermanently = 3,
  kDisabledFullyAndPermanently = 4,
};

// Tiers of trust (draft-ietf-rats-ar4si, section 3.2); a value between two belongs to the lower
// one.
enum class EarStatus : uint8_t { kNone = 0, kAffirming = 2, kWarning = 32, kContraindicated = 96 };
std::string_view name_of(EarStatus status);

struct EatClaims {
  static constexpr int kDepth = 4;  // of submodules

  std::string profile;  // empty: none
  std::vector<std::vector<uint8_t>> nonces;
  std::vector<uint8_t> ueid;
  std::optional<DebugStatus> debug;
  std::optional<int64_t> issued;
  std::optional<int64_t> expires;
  std::optional<int64_t> not_before;
  std::optional<EarStatus> status;
  std::map<std::string, EatClaims> submodules;
};

Result<EatClaims> eat_claims_in_json(std::string_view text);
Result<EatClaims> eat_claims_in_cbor(Bytes claims);

}  // namespace casemate::verify
