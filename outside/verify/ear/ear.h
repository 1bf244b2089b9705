// SPDX-License-Identifier: Apache-2.0
#pragma once
// EAR: a verdict as others can read it: an attestation result (draft-ietf-rats-ear-04), signed by
// this verifier, as a JSON or a CBOR web token.
//
//   {"eat_profile", "iat", "ear_verifier_id", "ear_status", "eat_nonce"?,
//    "submods": {"sev-snp": {"ear_status", "ear_trustworthiness_vector", "eat_nonce"?}}}
//
// The vector has a value for each category in which checks ran: 2 where all passed, a warning
// where the policy let something through, 96 where one failed, 99 where it was a signature or a
// chain. The submodule's nonce is what the evidence vouches for (its report data); the outer one
// is what the caller was asked with.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    a verdict is our own; who reads the token trusts the key that signed it.
//   Fails    kPlatform when libcrypto does.

#include <optional>
#include <string>
#include <vector>

#include "outside/verdict/verdict.h"

namespace casemate::verify {

struct EarContext {
  std::vector<uint8_t> nonce;           // 8 to 64 bytes; others are left out
  std::vector<uint8_t> evidence_nonce;  // the same
  std::string build = "casemate";       // of this verifier
};

// Categories of draft-ietf-rats-ar4si, section 2.3; the number is the key in CBOR.
enum class TrustCategory : uint8_t {
  kInstanceIdentity = 0,
  kConfiguration = 1,
  kExecutables = 2,
  kHardware = 4
};
TrustCategory category_of(std::string_view check_code);

// What is signed: claims as JSON, claims as CBOR.
std::string ear_json(const Verdict& verdict, const EarContext& context);
std::vector<uint8_t> ear_cbor(const Verdict& verdict, const EarContext& context);

// Signed with ES384: a compact JWT; a CWT (tag 61) in COSE_Sign1.
Result<std::string> ear_jwt(const Verdict& verdict, const EarContext& context,
                            const SigningKey& key);
Result<std::vector<uint8_t>> ear_cwt(const Verdict& verdict, const EarContext& context,
                                     const SigningKey& key);

// The content of a file of that name: a CWT where it ends with ".cwt" or ".cbor", else a JWT.
// Signed with the P-384 key in `key_pem` (PKCS #8).
Result<std::vector<uint8_t>> ear_file(const Verdict& verdict, const EarContext& context,
                                      std::string_view name, std::string_view key_pem);

}  // namespace casemate::verify
