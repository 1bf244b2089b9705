// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/policy.h"
#include "base/format.h"

#include <gtest/gtest.h>

#include "outside/verdict/strict_json.h"

namespace casemate::verify {
namespace {

std::string refusal(std::string_view text) {
  const auto policy = parse_policy(text, "p.json");
  return policy ? "accepted" : policy.error().text;
}

TEST(Policy, an_empty_object_is_the_strictest_policy) {
  const auto policy = parse_policy("{}", "p.json");
  ASSERT_TRUE(policy) << policy.error().text;
  EXPECT_FALSE(policy->allow_software_root);
  EXPECT_FALSE(policy->insecure_allow_debug);
  EXPECT_EQ(policy->max_age_seconds, 7 * 24 * 3600);
}

TEST(Policy, every_key_is_read_and_written_back) {
  const std::string hex(96, 'a');
  const std::string enclave =
      formatted(R"("program":["{0}"],"manifest":["{0}"],"device":["{0}"],"peers":["{0}"])", hex);
  const std::string text = formatted(
      R"({{"allow_software_root":true,"software_roots":["{0}","{0}"],"platform":["{0}"],
          "security_version_min":9,"gateway":{{{1}}},"models":{{"digits":{{"model":["{0}"],{1}}}}},
          "drivers":{{"keys":["{0}"],"required":true}},
          "max_age_seconds":60,"insecure_allow_debug":true}})",
      hex, enclave);
  const auto policy = parse_policy(text, "p.json");
  ASSERT_TRUE(policy) << policy.error().text;
  EXPECT_TRUE(policy->allow_software_root && policy->insecure_allow_debug);
  EXPECT_EQ(policy->software_roots.size(), 2u);
  EXPECT_EQ(policy->security_version_min, 9u);
  EXPECT_EQ(policy->max_age_seconds, 60);
  EXPECT_EQ(policy->gateway.peers.size(), 1u);
  EXPECT_EQ(policy->models.at("digits").model.at(0)[0], 0xAA);
  EXPECT_EQ(policy->drivers.keys.at(0)[0], 0xAA);
  EXPECT_TRUE(policy->drivers.required);
  const auto again = parse_policy(policy_text(*policy), "p.json");
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(policy_text(*again), policy_text(*policy));
}

TEST(Policy, an_unknown_key_is_refused_by_name_at_every_level) {
  EXPECT_NE(refusal(R"({"allow_sofware_root": true})").find("\"allow_sofware_root\" is not known"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"gateway": {"model": []}})").find("\"model\" is not known"),
            std::string::npos)
      << "a gateway has no model";
  const std::string inner = refusal(R"({"models": {"digits": {"hash": []}}})");
  EXPECT_NE(inner.find("\"models\" \"digits\": the key \"hash\""), std::string::npos) << inner;
}

TEST(Policy, a_key_that_is_there_twice_is_refused) {
  EXPECT_NE(refusal(R"({"allow_software_root": false, "allow_software_root": true})").find("twice"),
            std::string::npos);
}

TEST(Policy, values_of_another_type_or_range_are_refused_with_the_key) {
  EXPECT_NE(refusal(R"({"allow_software_root": 1})").find("allow_software_root"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"platform": "ab"})").find("a list"), std::string::npos);
  EXPECT_NE(refusal(R"({"platform": ["ab"]})").find("96 hexadecimal"), std::string::npos);
  EXPECT_NE(refusal(R"({"platform": [7]})").find("96 hexadecimal"), std::string::npos);
  EXPECT_NE(refusal(formatted(R"({{"platform": ["{}"]}})", std::string(96, 'g'))).find("96 hex"),
            std::string::npos);
  for (const std::string_view age : {"0", "-1", "1.5", "1e99", "18446744073709551615", "true"}) {
    EXPECT_NE(refusal(formatted(R"({{"max_age_seconds": {}}})", age)), "accepted") << age;
  }
  EXPECT_NE(refusal(R"({"security_version_min": 4294967296})").find("from 0 to 4294967295"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"drivers": {"keys": ["ab"]}})").find("96 hex"), std::string::npos);
  EXPECT_NE(refusal(R"({"drivers": {"key": []}})").find("\"key\" is not known"), std::string::npos);
  EXPECT_NE(refusal(R"({"gateway": []})").find("an object"), std::string::npos);
  EXPECT_NE(refusal(R"({"models": []})").find("an object"), std::string::npos);
  EXPECT_NE(refusal("[]").find("an object"), std::string::npos);
}

TEST(StrictJson, broken_text_is_refused_with_its_place) {
  EXPECT_NE(refusal("").find("no JSON"), std::string::npos);
  EXPECT_NE(refusal("{} {}").find("no JSON"), std::string::npos);
  EXPECT_NE(refusal("{\"a\xFF\": 1}").find("no JSON"), std::string::npos) << "not UTF-8";
  EXPECT_NE(refusal(R"({"a": 1e999})").find("no JSON"), std::string::npos);
}

TEST(StrictJson, nothing_hides_behind_a_nul) {
  using namespace std::string_literals;
  ASSERT_FALSE(parse_json("{}\0{}"s, "text"));
  ASSERT_FALSE(parse_json("{}\0"s, "text"));
  EXPECT_EQ(parse_json("{}\0{}"s, "text").error().text, "text: it is no JSON at byte 2");
  EXPECT_EQ(parse_json("{}\0"s, "text").error().text, "text: it is no JSON at byte 2");
}

TEST(StrictJson, deep_nesting_is_refused_without_recursion) {
  const auto nested = [](size_t depth) {
    return parse_json(std::string(depth, '[') + std::string(depth, ']'), "text");
  };
  EXPECT_TRUE(nested(kJsonDepth));
  ASSERT_FALSE(nested(kJsonDepth + 1));
  EXPECT_EQ(nested(kJsonDepth + 1).error().text, "text: it nests deeper than 32");
  EXPECT_FALSE(nested(1'000'000));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '['), "text"));
}

}  // namespace
}  // namespace casemate::verify
