// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "base/format.h"
#include "outside/verify/nvidia/nvidia.h"

namespace casemate::verify::nvidia {
namespace {

using RulesJson = nlohmann::json;

constexpr std::array<std::string_view, 3> kDeviceNames = {"gpu", "switch", "any"};

std::string key_in(const JsonObject& object, std::string_view key) {
  return formatted("{}: \"{}\"", object.where(), key);
}

Result<Device> parse_device(JsonObject& object) {
  const RulesJson* value = object.take("device");
  if (value == nullptr) return Device::kGpu;
  const auto found = std::ranges::find(
      kDeviceNames, value->is_string() ? value->get_ref<const std::string&>() : std::string());
  if (found == kDeviceNames.end())
    return Error{Code::kInvalid,
                 key_in(object, "device") + " should be \"gpu\", \"switch\" or \"any\""};
  return static_cast<Device>(found - kDeviceNames.begin());
}

Result<std::vector<std::string>> parse_versions(JsonObject& object, std::string_view key) {
  std::vector<std::string> versions;
  const RulesJson* list = object.take(key);
  if (list == nullptr) return versions;
  const Error wrong{Code::kInvalid, key_in(object, key) + " should be a list of texts"};
  if (!list->is_array()) return wrong;
  for (const RulesJson& version : *list) {
    if (!version.is_string()) return wrong;
    versions.push_back(version.get<std::string>());
  }
  return versions;
}

Result<std::map<uint8_t, AcceptedValues>> parse_golden(JsonObject& object) {
  std::map<uint8_t, AcceptedValues> blocks;
  const RulesJson* value = object.take("blocks");
  if (value == nullptr) return blocks;
  JsonObject by_index = TRY(JsonObject::of(*value, key_in(object, "blocks")));
  for (const auto& [name, list] : value->items()) {
    uint8_t index = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (wrong != std::errc() || end != name.data() + name.size() || std::to_string(index) != name)
      continue;  // finish() says which
    AcceptedValues accepted = TRY(parse_accepted_values(by_index, name, 0));
    if (accepted.empty())
      return Error{Code::kInvalid, key_in(by_index, name) + " should hold a value at least"};
    blocks.emplace(index, std::move(accepted));
  }
  TRY(by_index.finish());
  return blocks;
}

}  // namespace

Result<Rules> parse_rules(JsonObject& object) {
  Rules rules;
  for (const auto& root : TRY(parse_accepted_values(object, "roots", sizeof(Sha384Digest))))
    rules.roots.push_back(load<Sha384Digest>(root));
  rules.device = TRY(parse_device(object));
  rules.chain_length = TRY(object.number("chain_length", Rules::kChainLength, 2, 8));
  rules.nonce = TRY(parse_accepted_values(object, "nonce", 32));
  rules.blocks = TRY(parse_golden(object));
  rules.drivers = TRY(parse_versions(object, "drivers"));
  rules.vbioses = TRY(parse_versions(object, "vbioses"));
  rules.require_crl = TRY(object.boolean("require_crl", false));
  TRY(object.finish());
  return rules;
}

nlohmann::ordered_json rules_json(const Rules& rules) {
  nlohmann::ordered_json object;
  object["roots"] = nlohmann::ordered_json::array();
  for (const Sha384Digest& root : rules.roots) object["roots"].push_back(to_hex(root));
  object["device"] = kDeviceNames[static_cast<size_t>(rules.device)];
  object["chain_length"] = rules.chain_length;
  object["nonce"] = accepted_values_json(rules.nonce);
  object["blocks"] = nlohmann::ordered_json::object();
  for (const auto& [index, values] : rules.blocks)
    object["blocks"][std::to_string(index)] = accepted_values_json(values);
  object["drivers"] = rules.drivers;
  object["vbioses"] = rules.vbioses;
  object["require_crl"] = rules.require_crl;
  return object;
}

}  // namespace casemate::verify::nvidia
