// SPDX-License-Identifier: Apache-2.0
#pragma once
// Token: what an Arm CCA platform says about itself and about a realm on it: CBOR tag 399, a map
// of two COSE_Sign1, each of which holds a map of claims.
//
//   Owns     copies of what it keeps, but for views of the bytes that were read (Collection).
//   Threads  pure functions.
//   Trust    hostile until signatures and the binding between both were checked. Claims that
//            nobody knows are passed over; known ones have their types and sizes.
//   Fails    kInvalid with the claim and what it should be.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "outside/verify/cose/cose.h"

namespace casemate::verify::cca {

struct Collection {
  Sign1 platform;
  Sign1 realm;
};
Result<Collection> read_collection(Bytes token);

struct Component {
  std::string type;  // may be empty, as may the version
  std::string version;
  std::vector<uint8_t> measurement;
  std::vector<uint8_t> signer;
  friend bool operator==(const Component&, const Component&) = default;
};

struct PlatformClaims {
  std::string profile;
  std::vector<uint8_t> challenge;          // the hash that binds the realm's key
  std::vector<uint8_t> instance_id;        // 33 bytes
  std::vector<uint8_t> implementation_id;  // 32 bytes
  std::vector<uint8_t> configuration;
  uint32_t lifecycle = 0;
  std::string hash_algorithm;
  std::vector<Component> components;
};
Result<PlatformClaims> read_platform_claims(Bytes claims);

struct RealmClaims {
  static constexpr size_t kExtensible = 4;

  ByteArray<64> challenge{};
  std::vector<uint8_t> personalization;
  std::vector<uint8_t> initial_measurement;
  std::array<std::vector<uint8_t>, kExtensible> extensible_measurements;
  std::string hash_algorithm;
  std::vector<uint8_t> public_key;  // as it is hashed: a point, or a COSE_Key
  std::string public_key_hash_algorithm;
};
Result<RealmClaims> read_realm_claims(Bytes claims);

// The SPKI of the realm's key, in either of its forms.
Result<std::vector<uint8_t>> realm_key(const RealmClaims& claims);

// The hash of the realm's key that the platform's challenge must be. Fails for an algorithm that
// is not known.
Result<std::vector<uint8_t>> binder_of(const RealmClaims& claims);

}  // namespace casemate::verify::cca
