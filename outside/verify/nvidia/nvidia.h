// SPDX-License-Identifier: Apache-2.0
#pragma once
// Appraisal of what an NVIDIA GPU or NVSwitch measured. Rules are the object "nvidia" of a policy
// file:
//
//   {"roots": ["<hex>"],              SHA-384 of accepted root keys (SPKI DER); without one
//                                     nothing is accepted
//    "device": "gpu",                 or "switch", or "any": how many blocks there are
//    "chain_length": 5,               certificates from the device to the root, both counted
//    "nonce": ["<hex>"],              accepted nonces of the request; empty: the caller compares
//                                     the report data
//    "blocks": {"1": ["<hex>"]},      golden values by index; a block that is named must be there
//    "drivers": ["550.90.07"], "vbioses": [],      accepted versions; empty: any
//    "require_crl": false}            a revocation list for every certificate must be among the
//                                     collateral
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    evidence and collateral are hostile; anchors are the rules'.
//   Fails    parse_rules with kInvalid and the key; appraise never: what is wrong is a failed
//            check.

#include "outside/verdict/accepted_values.h"
#include "outside/verdict/platform.h"
#include "outside/verify/collateral/collateral.h"
#include "outside/verify/nvidia/spdm.h"

namespace casemate::verify::nvidia {

enum class Device : uint8_t { kGpu, kSwitch, kAny };

struct Rules {
  static constexpr int64_t kChainLength = 5;

  std::vector<Sha384Digest> roots;
  Device device = Device::kGpu;
  int64_t chain_length = kChainLength;
  AcceptedValues nonce;
  std::map<uint8_t, AcceptedValues> blocks;
  std::vector<std::string> drivers;
  std::vector<std::string> vbioses;
  bool require_crl = false;
};
Result<Rules> parse_rules(JsonObject& object);
// What parse_rules() reads back to the same value.
nlohmann::ordered_json rules_json(const Rules& rules);

// Whether these bytes, binary or hexadecimal text, begin like such a transcript.
bool looks_like(Bytes evidence);

// What the answer proves at `now_unix`. The request's nonce becomes the report data.
Platform appraise(Bytes evidence, const Rules& rules, const Collateral& collateral,
                  int64_t now_unix, Checks& checks);

}  // namespace casemate::verify::nvidia
