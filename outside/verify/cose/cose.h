// SPDX-License-Identifier: Apache-2.0
#pragma once
// COSE_Sign1 (RFC 9052, section 4.2) with ECDSA, and EC keys in CBOR (section 7).
//
//   Owns     nothing: a Sign1 is views of the bytes that were read.
//   Threads  pure functions.
//   Trust    hostile until the signature was checked.
//   Fails    kInvalid with what was being read, kUnsupported for an algorithm beyond the three.

#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "outside/verdict/cbor.h"

namespace casemate::verify {

// Algorithms, by their number (RFC 9053, section 2.1); the key's curve is the one that goes with
// the digest.
inline constexpr int64_t kEs256 = -7;
inline constexpr int64_t kEs384 = -35;
inline constexpr int64_t kEs512 = -36;

struct Sign1 {
  Bytes protected_header;
  Bytes payload;
  Bytes signature;
  int64_t algorithm = 0;
};

// One tagged COSE_Sign1. `what` names it in errors.
Result<Sign1> read_sign1(CborReader& reader, std::string_view what);

// Succeeds when the key of SPKI `key` signed it. No external data.
Status check_sign1(const Sign1& signed_item, Bytes key);

// The SPKI of an EC2 key with both coordinates, in a map that may say more.
Result<std::vector<uint8_t>> key_of_cose(Bytes key);

// A tagged COSE_Sign1 over `payload`, by ES384.
Result<std::vector<uint8_t>> make_sign1(Bytes payload, const SigningKey& key);

}  // namespace casemate::verify
