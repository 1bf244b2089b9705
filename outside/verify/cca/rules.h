// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rules: what a policy asks of an Arm CCA token; the object "cca" of a policy file:
//
//   {"anchors": ["<hex>", {"kty": "EC", ...}],   keys of platforms: SHA-384 of a key (SPKI DER)
//                                     that is among the collateral, or the key itself, as a JWK or
//                                     with its platform's ids
//    "reference_values": {"platform": [...], "realm": [...]},   as Veraison's tools write them; of
//                                     each list that is not empty, one entry must fit the token in
//                                     all that it names
//    "instance_id": ["<hex>"], "implementation_id": [], "configuration": [],   accepted values;
//                                     empty: any
//    "personalization": [], "initial_measurement": [],
//    "rem0": [], "rem1": [], "rem2": [], "rem3": [],
//    "insecure_allow_debug": false}    platforms whose lifecycle lets their makers look in
//
// Every key may be left out; without an anchor no token is accepted.
//
//   Owns     values.
//   Threads  a value type.
//   Trust    the user's own word; parsing is strict.
//   Fails    kInvalid with the key and what it should be.

#include <optional>

#include "outside/verdict/accepted_values.h"
#include "outside/verify/cca/anchors.h"
#include "outside/verify/cca/token.h"

namespace casemate::verify::cca {

struct ReferencePlatform {
  std::optional<std::vector<uint8_t>> implementation_id;
  std::optional<std::vector<uint8_t>> configuration;
  std::vector<Component> components;  // all that may run, in any order; empty: any
};

struct ReferenceRealm {
  std::optional<std::vector<uint8_t>> personalization;
  std::optional<std::vector<uint8_t>> initial_measurement;
  std::vector<std::vector<uint8_t>> extensible_measurements;  // four, or none
  std::optional<std::string> key_hash_algorithm;
};

struct Rules {
  std::vector<Sha384Digest> anchors;
  std::vector<nlohmann::json> anchor_keys;
  std::vector<ReferencePlatform> reference_platforms;
  std::vector<ReferenceRealm> reference_realms;
  AcceptedValues instance_id;
  AcceptedValues implementation_id;
  AcceptedValues configuration;
  AcceptedValues personalization;
  AcceptedValues initial_measurement;
  std::array<AcceptedValues, RealmClaims::kExtensible> extensible_measurements;
  bool insecure_allow_debug = false;
};

Result<Rules> parse_rules(JsonObject& object);
// What parse_rules() reads back to the same value.
nlohmann::ordered_json rules_json(const Rules& rules);

}  // namespace casemate::verify::cca
