// SPDX-License-Identifier: Apache-2.0
#pragma once
// Realm: makes CCA tokens that pass, for tests and fuzzing: it plays the platform and the realm on
// it, with keys of its own. A test bends one claim, before or after the signatures.
//
//   Owns     its keys.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include <string>

#include "outside/verdict/cbor_writer.h"
#include "outside/verify/cca/cca.h"

namespace casemate::verify::cca::testing {

class Realm final {
 public:
  // Claims by number; each value is an item of CBOR.
  using Claims = std::vector<std::pair<int64_t, std::vector<uint8_t>>>;

  Realm();
  // Sets a claim, behind the others if it is new, or takes it away.
  static void set(Claims& claims, int64_t key, const CborWriter& value);
  static void drop(Claims& claims, int64_t key);
  // Has the platform vouch for the realm's key as the realm's claims say.
  void bind();
  [[nodiscard]] std::vector<uint8_t> token() const;
  // Rules that know the platform's key, and collateral that has it.
  [[nodiscard]] Rules rules() const;
  [[nodiscard]] Collateral collateral() const;

  SigningKey platform_key;
  SigningKey realm_key;
  Claims platform;
  Claims realm;
};

std::vector<uint8_t> encode(const Realm::Claims& claims);
// The token of two payloads, signed.
std::vector<uint8_t> token_of(Bytes platform, const SigningKey& platform_key, Bytes realm,
                              const SigningKey& realm_key);
// A P-384 key as a JWK, and as the 97 bytes of its point.
std::string jwk_of(const SigningKey& key);
Bytes point_of(const SigningKey& key);

// The claim of these components.
CborWriter components_item(const std::vector<Component>& components);

inline CborWriter bytes_item(Bytes value) { return CborWriter().bytes(value); }
inline CborWriter text_item(std::string_view value) { return CborWriter().text(value); }
inline CborWriter number_item(int64_t value) { return CborWriter().integer(value); }

}  // namespace casemate::verify::cca::testing
