// SPDX-License-Identifier: Apache-2.0
#pragma once
// Driver: for a device that cannot vouch for itself, the word of its driver's author: these
// programs drive devices of that kind. A compact JWS (RFC 7515) by ES384, a line of text:
//
//   header   {"alg": "ES384", "typ": "casemate-driver+jwt", "jwk": the author's key, P-384}
//   payload  {"iss": "who", "iat": 1772323200, "exp": 1803859200,      Unix seconds
//             "device": "npu", "programs": ["<hex>"]}     SHA-384, as tokens' program_measurement
//
// What it says of the device itself is nothing: it is the program that was measured, and the
// author's word that this program drives no other kind of device. Rules are the object "drivers" of
// a policy:
//
//   {"keys": ["<hex>"],        SHA-384 of authors' keys (SPKI DER); without one none is believed
//    "required": false}        an accelerator that shows no evidence at all is refused
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    endorsements are hostile; keys count by the rules alone, never for being in one.
//   Fails    parse_rules with kInvalid and the key; read and endorse with kInvalid and what is
//            wrong; appraise never: what is wrong is a failed check.

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outside/verdict/checks.h"
#include "outside/verdict/platform.h"
#include "outside/verdict/strict_json.h"

namespace casemate::verify::driver {

struct Rules {
  std::vector<Sha384Digest> keys;
  bool required = false;
};
Result<Rules> parse_rules(JsonObject& object);
// What parse_rules() reads back to the same value.
nlohmann::ordered_json rules_json(const Rules& rules);

struct Endorsement {
  // Of what fits beside models' files in evidence: a release's programs for several machines.
  static constexpr size_t kPrograms = 64;
  static constexpr size_t kIssuer = 128;

  std::string issuer;  // printable
  int64_t issued_unix = 0;
  int64_t expires_unix = 0;  // from then on it says nothing
  std::string device;        // a kind: "npu"
  std::vector<Sha384Digest> programs;
};
// One as text, with a newline behind it.
Result<std::string> endorse(const Endorsement& endorsement, const SigningKey& key);

// Whether these bytes begin like one.
bool looks_like(Bytes evidence);

// An enclave whose token names the endorsement.
struct Driven {
  std::string name;  // printable
  std::string_view device;
  Sha384Digest program{};
};
// What it says of them at `now_unix`. Its key becomes the root's, what it names the measurements.
Platform appraise(Bytes evidence, std::span<const Driven> driven, const Rules& rules,
                  int64_t now_unix, Checks& checks);

}  // namespace casemate::verify::driver
