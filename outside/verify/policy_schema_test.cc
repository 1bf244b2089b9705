// SPDX-License-Identifier: Apache-2.0
// Holds the schema against the parser: what the one takes, the other takes.
#include "outside/verify/policy_schema.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

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
  return schema().at(Json::json_pointer(reference->get<std::string>().substr(1)));
}

struct Sample {
  Json value;
  bool good;
};

void add_strings(const Json& node, std::vector<Sample>& samples) {
  const std::regex pattern(node.at("pattern").get<std::string>());
  for (const std::string& text :
       {std::string(96, 'a'), std::string(96, 'A'), std::string(95, 'a'), std::string(97, 'a'),
        std::string(96, 'g'), std::string(), std::string(96, ' ')})
    samples.push_back({text, std::regex_search(text, pattern)});
  samples.push_back({7, false});
}

// Rules for one kind of evidence, whose keys the schema leaves to docs/evidence.md. A policy that
// has none writes none.
const std::set<std::string> kRules = {"intel", "snp", "cca", "nvidia", "eat", "tpm", "drivers"};

// Values of every kind that `node` speaks of, with what the schema says to them.
std::vector<Sample> samples_of(const Json& unresolved) {
  const Json& node = resolved(unresolved);
  const std::string type = node.at("type");
  std::vector<Sample> samples = {{nullptr, false}};
  if (type == "boolean") {
    for (const auto& value : {Json(true), Json(false)}) samples.push_back({value, true});
    for (const auto& value : {Json(1), Json("true")}) samples.push_back({value, false});
  } else if (type == "integer") {
    const int64_t least = node.at("minimum");
    const int64_t most = node.at("maximum");
    for (const int64_t value : {least, most}) samples.push_back({value, true});
    for (const int64_t value : {least - 1, most + 1}) samples.push_back({value, false});
    samples.push_back({1.5, false});
    samples.push_back({"1", false});
  } else if (type == "string") {
    add_strings(node, samples);
  } else if (type == "array") {
    samples.push_back({Json::array(), true});
    samples.push_back({"x", false});
    for (const Sample& item : samples_of(node.at("items")))
      samples.push_back({Json::array({item.value}), item.good});
  } else {
    samples.push_back({Json::object(), true});
    samples.push_back({Json::array(), false});
    if (!node.contains("additionalProperties")) return samples;
    const Json& others = node.at("additionalProperties");
    if (others.is_object()) {
      for (const Sample& other : samples_of(others))
        samples.push_back({{{"any name", other.value}}, other.good});
    } else {
      EXPECT_EQ(others, false) << "an unknown key is an error";
      samples.push_back({{{"any name", 1}}, false});
    }
    if (node.contains("properties")) {
      for (const auto& [key, property] : node.at("properties").items())
        for (const Sample& sample : samples_of(property))
          samples.push_back({{{key, sample.value}}, sample.good});
    }
  }
  return samples;
}

TEST(PolicySchema, takes_and_refuses_what_the_parser_does) {
  const std::vector<Sample> samples = samples_of(schema());
  EXPECT_GT(samples.size(), 150u);
  for (const Sample& sample : samples) {
    const auto parsed = parse_policy(sample.value.dump(), "p.json");
    EXPECT_EQ(parsed.has_value(), sample.good)
        << sample.value << (parsed ? "" : ": " + parsed.error().text);
  }
}

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

TEST(PolicySchema, knows_every_key_and_its_default) {
  Policy policy;
  policy.models["digits"] = {};
  const Json written = Json::parse(policy_text(policy));
  const Json& properties = schema().at("properties");
  std::set<std::string> keys = keys_of(written);
  keys.insert(kRules.begin(), kRules.end());
  EXPECT_EQ(keys_of(properties), keys);
  const auto inner = [](const char* name) {
    return keys_of(schema().at("$defs").at(name).at("properties"));
  };
  EXPECT_EQ(inner("gateway"), keys_of(written.at("gateway")));
  EXPECT_EQ(inner("model"), keys_of(written.at("models").at("digits")));
  for (const auto& [key, property] : properties.items()) {
    const Json& node = resolved(property);
    if (!node.contains("default")) continue;
    EXPECT_EQ(node.at("default"), written.at(key)) << key;
  }
}

}  // namespace
}  // namespace casemate::verify
