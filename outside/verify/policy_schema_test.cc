// SPDX-License-Identifier: Apache-2.0
// Holds the schema against the parser: what the one takes, the other takes.
#include "outside/verify/policy_schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "outside/verify/jose/jose.h"
#include "outside/verify/policy.h"

namespace casemate::verify {
namespace {

using Json = nlohmann::json;

const Json& schema() {
  static const Json parsed = Json::parse(policy_schema());
  return parsed;
}

const Json& resolved(const Json& node) {
  const auto reference = node.find("$ref");
  if (reference == node.end()) return node;
  return resolved(schema().at(Json::json_pointer(reference->get<std::string>().substr(1))));
}

// A member that may be missing, where there is nothing then.
const Json& part(const Json& node, std::string_view key) {
  static const Json kNothing = Json::object();
  const auto found = node.find(key);
  return found == node.end() ? kNothing : *found;
}

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

// What our schema uses of JSON Schema, 2020-12. A keyword that nothing here knows would be one
// that no test looks at.
const std::set<std::string> kKeywords = {"$schema",
                                         "$id",
                                         "$defs",
                                         "$ref",
                                         "title",
                                         "description",
                                         "default",
                                         "type",
                                         "enum",
                                         "pattern",
                                         "minLength",
                                         "maxLength",
                                         "minimum",
                                         "maximum",
                                         "items",
                                         "minItems",
                                         "maxItems",
                                         "properties",
                                         "patternProperties",
                                         "additionalProperties",
                                         "required",
                                         "dependentRequired",
                                         "anyOf"};

bool matches(const Json& pattern, const std::string& text) {
  static std::map<std::string, std::regex> known;
  const auto& name = pattern.get_ref<const std::string&>();
  const auto found = known.try_emplace(name, name).first;
  return std::regex_search(text, found->second);
}

bool of_type(const std::string& type, const Json& value) {
  return type == "object"    ? value.is_object()
         : type == "array"   ? value.is_array()
         : type == "string"  ? value.is_string()
         : type == "boolean" ? value.is_boolean()
                             : value.is_number_integer();
}

bool conforms(const Json& unresolved, const Json& value);

bool text_conforms(const Json& node, const std::string& text) {
  return text.size() >= node.value("minLength", size_t{0}) &&
         text.size() <= node.value("maxLength", SIZE_MAX) &&
         (!node.contains("pattern") || matches(node.at("pattern"), text));
}

bool number_conforms(const Json& node, const Json& value) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX)
    return !node.contains("maximum");
  const auto number = value.get<int64_t>();
  return number >= node.value("minimum", INT64_MIN) && number <= node.value("maximum", INT64_MAX);
}

bool list_conforms(const Json& node, const Json& list) {
  if (list.size() < node.value("minItems", size_t{0}) ||
      list.size() > node.value("maxItems", SIZE_MAX))
    return false;
  return !node.contains("items") || std::ranges::all_of(list, [&](const Json& item) {
    return conforms(node.at("items"), item);
  });
}

bool member_conforms(const Json& node, const std::string& key, const Json& value) {
  const auto properties = node.find("properties");
  if (properties != node.end() && properties->contains(key))
    return conforms(properties->at(key), value);
  const auto patterns = node.find("patternProperties");
  if (patterns != node.end()) {
    for (const auto& [pattern, inner] : patterns->items())
      if (matches(pattern, key)) return conforms(inner, value);
  }
  const auto others = node.find("additionalProperties");
  return others == node.end() ||
         (others->is_boolean() ? others->get<bool>() : conforms(*others, value));
}

bool object_conforms(const Json& node, const Json& object) {
  for (const auto& [key, value] : object.items())
    if (!member_conforms(node, key, value)) return false;
  for (const Json& key : part(node, "required"))
    if (!object.contains(key.get<std::string>())) return false;
  for (const auto& [key, needed] : part(node, "dependentRequired").items()) {
    for (const Json& other : needed)
      if (object.contains(key) && !object.contains(other.get<std::string>())) return false;
  }
  return true;
}

// Whether a validator takes the value.
bool conforms(const Json& unresolved, const Json& value) {
  const Json& node = resolved(unresolved);
  for (const auto& [keyword, meaning] : node.items())
    EXPECT_TRUE(kKeywords.contains(keyword)) << keyword;
  if (node.contains("type") && !of_type(node.at("type"), value)) return false;
  if (node.contains("enum") && std::ranges::find(node.at("enum"), value) == node.at("enum").end())
    return false;
  if (node.contains("anyOf") &&
      std::ranges::none_of(node.at("anyOf"), [&](const Json& one) { return conforms(one, value); }))
    return false;
  if (value.is_string()) return text_conforms(node, value.get_ref<const std::string&>());
  if (value.is_number_integer()) return number_conforms(node, value);
  if (value.is_array()) return list_conforms(node, value);
  return !value.is_object() || object_conforms(node, value);
}

// Values that are worth a try where `node` stands, right and wrong ones.
std::vector<Json> candidates_of(const Json& unresolved);

Json first_good(const Json& node) {
  const auto candidates = candidates_of(node);
  const auto good =
      std::ranges::find_if(candidates, [&](const Json& value) { return conforms(node, value); });
  EXPECT_NE(good, candidates.end()) << node;
  return good == candidates.end() ? Json() : *good;
}

void add_texts(std::vector<Json>& candidates) {
  for (const size_t size : {0,  1,  2,  3,  15, 16, 17, 18, 31,  32,  33,  34,  63,   64,  65,
                            66, 67, 68, 94, 95, 96, 97, 98, 127, 128, 129, 130, 2048, 2050})
    candidates.push_back(std::string(size, 'a'));
  for (const char odd : {'A', '0', 'g', ' '}) candidates.push_back(std::string(96, odd));
  for (const char* version : {"0.0.0", "1.49.3", "255.255.255", "256.0.0", "0.256.0", "0.0.256",
                              "001.0049.0000000003", "1", "1.2", "1.2.", "1.2.3.", "1.2.3.4",
                              "1..3", ".1.2", "-1.0.0", "+1.0.0", " 1.0.0", "1.0.0 ", "a.b.c"})
    candidates.push_back(version);
}

void add_numbers(const Json& node, std::vector<Json>& candidates) {
  const int64_t least = node.at("minimum");
  const int64_t most = node.at("maximum");
  for (const int64_t value : {least, most, least - 1}) candidates.push_back(value);
  candidates.push_back(static_cast<uint64_t>(most) + 1);
  candidates.push_back(UINT64_MAX);
}

void add_lists(const Json& node, std::vector<Json>& candidates) {
  const Json& items = node.at("items");
  for (const Json& item : candidates_of(items)) candidates.push_back(Json::array({item}));
  const Json good = first_good(items);
  for (size_t size = 2; size <= 5; ++size) candidates.push_back(Json(size, good));
  candidates.push_back(Json::array({good, nullptr}));
}

// Objects with one member each beside those that there have to be.
void add_objects(const Json& node, std::vector<Json>& candidates) {
  Json least = Json::object();
  for (const Json& key : part(node, "required"))
    least[key.get<std::string>()] = first_good(node.at("properties").at(key.get<std::string>()));
  candidates.push_back(least);
  const auto add = [&](Json with, const std::string& key, const Json& value) {
    with[key] = value;
    candidates.push_back(std::move(with));
  };
  add(least, "no such key", 1);
  for (const auto& [key, value] : least.items()) {
    Json without = least;
    without.erase(key);
    candidates.push_back(std::move(without));
  }
  for (const auto& [key, property] : part(node, "properties").items()) {
    Json with = least;
    for (const Json& other : part(part(node, "dependentRequired"), key))
      with[other.get<std::string>()] =
          first_good(node.at("properties").at(other.get<std::string>()));
    for (const Json& value : candidates_of(property)) {
      add(least, key, value);
      if (with != least) add(with, key, value);
    }
  }
  for (const auto& [pattern, property] : part(node, "patternProperties").items()) {
    for (const char* name :
         {"0",   "7",   "9",   "10",   "19", "20", "23", "24", "99", "100", "199", "200",
          "249", "255", "256", "1000", "00", "07", "-1", "+1", "1 ", "x",   ""})
      add(least, name, first_good(property));
    for (const Json& value : candidates_of(property)) add(least, "7", value);
  }
  if (const auto others = node.find("additionalProperties");
      others != node.end() && others->is_object()) {
    for (const Json& value : candidates_of(*others)) add(least, "any name", value);
  }
}

// A schema can say how a key looks, and not whether it is on its curve: one that is.
const Json& good_jwk() {
  static const Json key = jwk_of(SigningKey::generate()->public_der());
  return key;
}

std::vector<Json> keys_to_try() {
  std::vector<Json> candidates = {good_jwk(), Json::object()};
  for (const auto& [key, value] : good_jwk().items()) {
    for (const Json& wrong : {Json(), Json(7), Json(""), Json("P-111")}) {
      Json bent = good_jwk();
      bent[key] = wrong;
      candidates.push_back(bent);
    }
    Json without = good_jwk();
    without.erase(key);
    candidates.push_back(without);
  }
  candidates.push_back(good_jwk());
  candidates.back()["use"] = "sig";
  return candidates;
}

std::vector<Json> candidates_of(const Json& unresolved) {
  const Json& node = resolved(unresolved);
  std::vector<Json> candidates = {nullptr, true, false, 1, 1.5, "x", Json::array(), Json::object()};
  if (node == schema().at("$defs").at("jwk")) {
    for (Json& key : keys_to_try()) candidates.push_back(std::move(key));
    return candidates;
  }
  for (const Json& value : part(node, "enum")) candidates.push_back(value);
  if (node.contains("enum")) candidates.push_back("Revoked");
  for (const Json& one : part(node, "anyOf")) {
    if (!one.contains("type") && !one.contains("$ref")) continue;  // of a list's length alone
    for (Json& value : candidates_of(one)) candidates.push_back(std::move(value));
  }
  const std::string type = node.value("type", "");
  if (type == "string") add_texts(candidates);
  if (type == "integer") add_numbers(node, candidates);
  if (type == "array") add_lists(node, candidates);
  if (type == "object") add_objects(node, candidates);
  return candidates;
}

TEST(PolicySchema, takes_and_refuses_what_the_parser_does) {
  const std::vector<Json> candidates = candidates_of(schema());
  size_t taken = 0;
  for (const Json& value : candidates) {
    const bool good = conforms(schema(), value);
    const auto parsed = parse_policy(value.dump(), "p.json");
    EXPECT_EQ(parsed.has_value(), good)
        << value.dump().substr(0, 500) << (parsed ? "" : ": " + parsed.error().text);
    if (good) ++taken;
  }
  EXPECT_GT(taken, 300u);
  EXPECT_GT(candidates.size() - taken, 1000u);
}

// Rules for one kind of evidence, as they are written when they say nothing. A policy that has none
// writes none.
std::map<std::string, Json> rules() {
  return {{"intel", intel::rules_json({})},   {"snp", snp::rules_json({})},
          {"cca", cca::rules_json({})},       {"nvidia", nvidia::rules_json({})},
          {"eat", eat::rules_json({})},       {"tpm", tpm_rules_json({})},
          {"drivers", driver::rules_json({})}};
}

// The keys that the parser itself names when it meets one that it does not know.
std::set<std::string> keys_that_are_taken(const Json& policy) {
  const auto parsed = parse_policy(policy.dump(), "p.json");
  EXPECT_FALSE(parsed.has_value()) << policy;
  const std::string text = parsed ? "" : parsed.error().text;
  constexpr std::string_view kBefore = "\"no such key\" is not known; known are ";
  const size_t at = text.find(kBefore);
  EXPECT_NE(at, std::string::npos) << text;
  std::set<std::string> keys;
  if (at == std::string::npos) return keys;
  std::istringstream list(text.substr(at + kBefore.size()));
  for (std::string key; std::getline(list >> std::ws, key, ',');) keys.insert(key);
  return keys;
}

TEST(PolicySchema, names_the_keys_that_the_parser_takes_and_no_other) {
  const Json unknown = {{"no such key", 1}};
  const auto named = [](const Json& node) { return keys_of(resolved(node).at("properties")); };
  const Json& properties = schema().at("properties");
  EXPECT_EQ(keys_that_are_taken(unknown), named(schema()));
  EXPECT_EQ(keys_that_are_taken({{"gateway", unknown}}), named(properties.at("gateway")));
  EXPECT_EQ(keys_that_are_taken({{"models", {{"m", unknown}}}}),
            named(properties.at("models").at("additionalProperties")));
  for (const auto& [rule, written] : rules()) {
    EXPECT_EQ(keys_that_are_taken({{rule, unknown}}), named(properties.at(rule))) << rule;
    for (const auto& [key, property] : resolved(properties.at(rule)).at("properties").items()) {
      const Json policy = {{rule, {{key, first_good(property)}}}};
      const auto parsed = parse_policy(policy.dump(), "p.json");
      EXPECT_TRUE(parsed.has_value()) << policy << (parsed ? "" : parsed.error().text);
    }
  }
}

void expect_defaults(const Json& properties, const Json& written) {
  for (const auto& [key, property] : properties.items()) {
    const Json& node = resolved(property);
    // What is left out may also mean something that cannot be written.
    EXPECT_EQ(node.contains("default"), written.contains(key) && node.contains("default")) << key;
    if (node.contains("default")) {
      EXPECT_EQ(node.at("default"), written.at(key)) << key;
    }
  }
}

TEST(PolicySchema, knows_every_key_and_its_default) {
  Policy policy;
  policy.models["digits"] = {};
  const Json written = Json::parse(policy_text(policy));
  const Json& properties = schema().at("properties");
  std::set<std::string> keys = keys_of(written);
  for (const auto& [rule, rule_written] : rules()) {
    keys.insert(rule);
    const Json& known = resolved(properties.at(rule)).at("properties");
    for (const std::string& key : keys_of(rule_written)) EXPECT_TRUE(known.contains(key)) << key;
    expect_defaults(known, rule_written);
  }
  EXPECT_EQ(keys_of(properties), keys);
  const auto inner = [](const char* name) {
    return keys_of(schema().at("$defs").at(name).at("properties"));
  };
  EXPECT_EQ(inner("gateway"), keys_of(written.at("gateway")));
  EXPECT_EQ(inner("model"), keys_of(written.at("models").at("digits")));
  expect_defaults(properties, written);
}

}  // namespace
}  // namespace casemate::verify
