// SPDX-License-Identifier: Apache-2.0
#include "base/format.h"
#include "outside/verify/ear/eat.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify::eat {
namespace {

Error eat_rule_should(const JsonObject& object, std::string_view key, std::string_view what) {
  return {Code::kInvalid, formatted("{}: \"{}\" should be {}", object.where(), key, what)};
}

constexpr int64_t kCentury = 100ll * 366 * 24 * 3600;

}  // namespace

Result<Rules> parse_rules(JsonObject& object) {
  Rules rules;
  if (const nlohmann::json* keys = object.take("keys"); keys != nullptr) {
    if (!keys->is_array()) return eat_rule_should(object, "keys", "a list of keys (JWK)");
    for (const nlohmann::json& key : *keys) {
      if (const auto spki = key_of_jwk(key); !spki)
        return eat_rule_should(object, "keys", "of keys (JWK): " + spki.error().text);
      rules.keys.push_back(key);
    }
  }
  if (const nlohmann::json* profiles = object.take("profiles"); profiles != nullptr) {
    if (!profiles->is_array()) return eat_rule_should(object, "profiles", "a list of texts");
    for (const nlohmann::json& profile : *profiles) {
      if (!profile.is_string()) return eat_rule_should(object, "profiles", "a list of texts");
      rules.profiles.push_back(profile.get<std::string>());
    }
  }
  rules.nonce = TRY(parse_accepted_values(object, "nonce", 0));
  rules.ueid = TRY(parse_accepted_values(object, "ueid", 0));
  rules.max_age_seconds = TRY(object.number("max_age_seconds", Rules::kMaxAgeSeconds, 1, kCentury));
  rules.allow_warning = TRY(object.boolean("allow_warning", false));
  rules.insecure_allow_debug = TRY(object.boolean("insecure_allow_debug", false));
  TRY(object.finish());
  return rules;
}

nlohmann::ordered_json rules_json(const Rules& rules) {
  nlohmann::ordered_json object;
  object["keys"] = nlohmann::ordered_json::array();
  for (const nlohmann::json& key : rules.keys)
    object["keys"].push_back(nlohmann::ordered_json(key));
  object["profiles"] = rules.profiles;
  object["nonce"] = accepted_values_json(rules.nonce);
  object["ueid"] = accepted_values_json(rules.ueid);
  object["max_age_seconds"] = rules.max_age_seconds;
  object["allow_warning"] = rules.allow_warning;
  object["insecure_allow_debug"] = rules.insecure_allow_debug;
  return object;
}

}  // namespace casemate::verify::eat
