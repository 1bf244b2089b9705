// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cca/rules.h"

#include "base/format.h"

namespace casemate::verify::cca {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

std::string inner(const JsonObject& object, std::string_view key) {
  return formatted("{}: \"{}\"", object.where(), key);
}

Error should_be(const JsonObject& object, std::string_view key, std::string_view what) {
  return {Code::kInvalid, formatted("{} should be {}", inner(object, key), what)};
}

Result<std::optional<std::string>> text_under(JsonObject& object, std::string_view key) {
  const Json* value = object.take(key);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return should_be(object, key, "text");
  return std::optional(value->get<std::string>());
}

Result<std::optional<std::vector<uint8_t>>> hex_under(JsonObject& object, std::string_view key) {
  const auto text = TRY(text_under(object, key));
  if (!text) return std::optional<std::vector<uint8_t>>();
  auto bytes = from_hex(*text);
  if (!bytes) return should_be(object, key, "hexadecimal text");
  return std::optional(*std::move(bytes));
}

// Calls `read` with each object of the list under `key`.
template <class Read>
Status each_under(JsonObject& object, std::string_view key, Read read) {
  const Json* list = object.take(key);
  if (list == nullptr) return {};
  if (!list->is_array()) return should_be(object, key, "a list [...]");
  for (const Json& value : *list) {
    JsonObject one = TRY(JsonObject::of(value, inner(object, key)));
    TRY(read(one));
    TRY(one.finish());
  }
  return {};
}

Status parse_component(JsonObject& object, std::vector<Component>& components) {
  const auto measurement = TRY(hex_under(object, "measurement-value"));
  const auto signer = TRY(hex_under(object, "signer-id"));
  if (!measurement || !signer)
    return should_be(object, "measurement-value", "there, and \"signer-id\" too");
  components.push_back({.type = TRY(text_under(object, "component-type")).value_or(""),
                        .version = TRY(text_under(object, "version")).value_or(""),
                        .measurement = *measurement,
                        .signer = *signer});
  return {};
}

Status parse_reference_values(const Json& json, const std::string& where, Rules& rules) {
  JsonObject object = TRY(JsonObject::of(json, where));
  TRY(each_under(object, "platform", [&](JsonObject& one) -> Status {
    ReferencePlatform platform;
    platform.implementation_id = TRY(hex_under(one, "implementation-id"));
    platform.configuration = TRY(hex_under(one, "platform-configuration"));
    TRY(each_under(one, "sw-components", [&](JsonObject& component) {
      return parse_component(component, platform.components);
    }));
    rules.reference_platforms.push_back(std::move(platform));
    return {};
  }));
  TRY(each_under(object, "realm", [&](JsonObject& one) -> Status {
    ReferenceRealm realm;
    realm.personalization = TRY(hex_under(one, "personalization-value"));
    realm.initial_measurement = TRY(hex_under(one, "initial-measurement"));
    realm.extensible_measurements = TRY(parse_accepted_values(one, "extensible-measurements", 0));
    if (!realm.extensible_measurements.empty() &&
        realm.extensible_measurements.size() != RealmClaims::kExtensible)
      return should_be(one, "extensible-measurements", "four values");
    realm.key_hash_algorithm = TRY(text_under(one, "rak-hash-algorithm"));
    rules.reference_realms.push_back(std::move(realm));
    return {};
  }));
  return object.finish();
}

Status parse_anchors(JsonObject& object, Rules& rules) {
  const Json* list = object.take("anchors");
  if (list == nullptr) return {};
  if (!list->is_array()) return should_be(object, "anchors", "a list [...]");
  for (const Json& value : *list) {
    if (value.is_string()) {
      const auto hash = from_hex(value.get_ref<const std::string&>());
      if (!hash || hash->size() != sizeof(Sha384Digest))
        return should_be(object, "anchors", "of SHA-384 values, 96 hexadecimal digits, or keys");
      rules.anchors.push_back(load<Sha384Digest>(*hash));
      continue;
    }
    const auto anchors = anchors_in(value);
    if (anchors.empty()) return should_be(object, "anchors", "of SHA-384 values or keys (JWK)");
    for (const Anchor& anchor : anchors) {
      if (!anchor.key)
        return Error{Code::kInvalid,
                     formatted("{}: {}", inner(object, "anchors"), anchor.key.error().text)};
    }
    rules.anchor_keys.push_back(value);
  }
  return {};
}

struct Values {
  std::string_view key;
  AcceptedValues Rules::* member;
  size_t size;
};
constexpr std::array<Values, 5> kValues = {
    {{"instance_id", &Rules::instance_id, 33},
     {"implementation_id", &Rules::implementation_id, 32},
     {"configuration", &Rules::configuration, 0},
     {"personalization", &Rules::personalization, 64},
     {"initial_measurement", &Rules::initial_measurement, 0}}};

OrderedJson reference_json(const Rules& rules) {
  OrderedJson json = {{"platform", OrderedJson::array()}, {"realm", OrderedJson::array()}};
  for (const ReferencePlatform& platform : rules.reference_platforms) {
    OrderedJson one = OrderedJson::object();
    if (platform.implementation_id) one["implementation-id"] = to_hex(*platform.implementation_id);
    if (platform.configuration) one["platform-configuration"] = to_hex(*platform.configuration);
    one["sw-components"] = OrderedJson::array();
    for (const Component& component : platform.components) {
      one["sw-components"].push_back({{"component-type", component.type},
                                      {"measurement-value", to_hex(component.measurement)},
                                      {"signer-id", to_hex(component.signer)},
                                      {"version", component.version}});
    }
    json["platform"].push_back(one);
  }
  for (const ReferenceRealm& realm : rules.reference_realms) {
    OrderedJson one = OrderedJson::object();
    if (realm.personalization) one["personalization-value"] = to_hex(*realm.personalization);
    if (realm.initial_measurement) one["initial-measurement"] = to_hex(*realm.initial_measurement);
    one["extensible-measurements"] = accepted_values_json(realm.extensible_measurements);
    if (realm.key_hash_algorithm) one["rak-hash-algorithm"] = *realm.key_hash_algorithm;
    json["realm"].push_back(one);
  }
  return json;
}

}  // namespace

Result<Rules> parse_rules(JsonObject& object) {
  Rules rules;
  TRY(parse_anchors(object, rules));
  if (const Json* values = object.take("reference_values"); values != nullptr)
    TRY(parse_reference_values(*values, inner(object, "reference_values"), rules));
  for (const Values& values : kValues)
    rules.*values.member = TRY(parse_accepted_values(object, values.key, values.size));
  for (size_t i = 0; i < rules.extensible_measurements.size(); ++i) {
    rules.extensible_measurements[i] = TRY(parse_accepted_values(object, formatted("rem{}", i), 0));
  }
  rules.insecure_allow_debug = TRY(object.boolean("insecure_allow_debug", false));
  TRY(object.finish());
  return rules;
}

OrderedJson rules_json(const Rules& rules) {
  OrderedJson object = OrderedJson::object();
  object["anchors"] = OrderedJson::array();
  for (const Sha384Digest& anchor : rules.anchors) object["anchors"].push_back(to_hex(anchor));
  for (const Json& key : rules.anchor_keys) object["anchors"].push_back(OrderedJson(key));
  object["reference_values"] = reference_json(rules);
  for (const Values& values : kValues)
    object[values.key] = accepted_values_json(rules.*values.member);
  for (size_t i = 0; i < rules.extensible_measurements.size(); ++i)
    object[formatted("rem{}", i)] = accepted_values_json(rules.extensible_measurements[i]);
  object["insecure_allow_debug"] = rules.insecure_allow_debug;
  return object;
}

}  // namespace casemate::verify::cca
