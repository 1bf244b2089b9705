// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cca/anchors.h"

#include "outside/verify/jose/jose.h"

namespace casemate::verify::cca {
namespace {

constexpr size_t kAnchorsMax = 4096;

// Bytes in hexadecimal text under `key`; an anchor that names a platform wrongly must match none,
// so what is no text becomes one byte that no identity has.
std::vector<uint8_t> identity(const nlohmann::json& object, std::string_view key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (found->is_string()) {
    if (auto bytes = from_hex(found->get_ref<const std::string&>()); bytes && !bytes->empty())
      return *std::move(bytes);
  }
  return {0xff};
}

void add_anchor(const nlohmann::json& json, std::vector<Anchor>& anchors) {
  if (!json.is_object() || anchors.size() >= kAnchorsMax) return;
  if (json.contains("pkey")) {
    anchors.push_back({.key = key_of_jwk(json.at("pkey")),
                       .instance_id = identity(json, "instance-id"),
                       .implementation_id = identity(json, "implementation-id")});
  } else if (json.contains("kty")) {
    anchors.push_back({.key = key_of_jwk(json), .instance_id = {}, .implementation_id = {}});
  }
}

}  // namespace

std::vector<Anchor> anchors_in(const nlohmann::json& json) {
  std::vector<Anchor> anchors;
  const bool set = json.is_object() && json.contains("keys") && json.at("keys").is_array();
  const nlohmann::json& list = set ? json.at("keys") : json;
  if (list.is_array()) {
    for (const nlohmann::json& one : list) add_anchor(one, anchors);
  } else {
    add_anchor(list, anchors);
  }
  return anchors;
}

}  // namespace casemate::verify::cca
