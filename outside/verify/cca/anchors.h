// SPDX-License-Identifier: Apache-2.0
#pragma once
// Anchors: the keys that platforms sign with, as whoever made the platforms publishes them: a JWK,
// a set of them {"keys": [...]}, or a list of {"instance-id", "implementation-id", "pkey": JWK}.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    nothing is trusted for being read: rules say which keys are.
//   Fails    a key that is none keeps its error, for the verdict that asks for it.

#include <nlohmann/json.hpp>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace casemate::verify::cca {

struct Anchor {
  Result<std::vector<uint8_t>> key;        // SPKI DER
  std::vector<uint8_t> instance_id;        // empty: of any
  std::vector<uint8_t> implementation_id;  // empty: of any
};

// The anchors in one value of JSON; none when it is something else.
std::vector<Anchor> anchors_in(const nlohmann::json& json);

}  // namespace casemate::verify::cca
