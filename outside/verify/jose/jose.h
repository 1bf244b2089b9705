// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON web keys and signatures (RFC 7515, 7517, 7518), as far as attestation uses them.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    hostile until the signature was checked.
//   Fails    kInvalid with what was expected, kUnsupported for algorithms beyond the three.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"

namespace casemate::verify {

std::string to_base64url(Bytes bytes);
// Takes the one spelling that to_base64url() writes.
Result<std::vector<uint8_t>> from_base64url(std::string_view text);

// The SPKI of an EC public key {"kty": "EC", "crv": ..., "x": ..., "y": ...}; other members mean
// nothing here.
Result<std::vector<uint8_t>> key_of_jwk(const nlohmann::json& jwk);

// The same of a P-384 key's SPKI.
nlohmann::ordered_json jwk_of(Bytes spki);

// A P-384 private key in PKCS #8, as `openssl genpkey` writes it.
Result<SigningKey> signing_key_in_pem(std::string_view pem);
// The same the other way; whoever has it clears it.
Result<std::string> signing_key_pem(const SigningKey& key);

struct Jws {
  std::string payload;  // a JSON text
  std::string signed_text;
  std::vector<uint8_t> signature;
  std::string algorithm;
  std::string header;  // a JSON object, of which nothing but "alg" and "crit" was looked at
};
// A compact JWS, HEADER.PAYLOAD.SIGNATURE.
Result<Jws> read_jws(std::string_view text);
Status check_jws(const Jws& jws, Bytes key);
// By ES384, which `header` must name.
inline constexpr std::string_view kJwtHeader = R"({"alg":"ES384","typ":"JWT"})";
Result<std::string> make_jws(std::string_view payload, const SigningKey& key,
                             std::string_view header = kJwtHeader);

}  // namespace casemate::verify
