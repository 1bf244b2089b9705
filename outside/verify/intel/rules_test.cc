// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/rules.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace casemate::verify::intel {
namespace {

Result<Rules> parsed(const nlohmann::json& value) {
  JsonObject object = TRY(JsonObject::of(value, "policy p: \"intel\""));
  return parse_rules(object);
}

TEST(Rules, are_the_strictest_where_nothing_is_said) {
  const auto rules = parsed(nlohmann::json::object());
  ASSERT_TRUE(rules.has_value());
  EXPECT_FALSE(rules->insecure_allow_debug);
  EXPECT_EQ(rules->tcb_statuses, std::vector<std::string>{"UpToDate"});
  EXPECT_EQ(rules->grace_seconds, 0);
  EXPECT_TRUE(rules->development_roots.empty());
}

TEST(Rules, are_written_and_read_back_to_the_same_value) {
  Rules rules;
  rules.insecure_allow_debug = true;
  rules.tcb_statuses = {"UpToDate", "SWHardeningNeeded"};
  rules.advisories = {"INTEL-SA-00615"};
  rules.evaluation_number_min = 17;
  rules.grace_seconds = 3600;
  rules.trailing = Trailing::kAny;
  rules.event_log_required = true;
  rules.product_id = 0;
  rules.security_version_min = 3;
  rules.measurements["mrtd"] = {std::vector<uint8_t>(48, 7), std::vector<uint8_t>(48, 8)};
  rules.measurements["mrenclave"] = {std::vector<uint8_t>(32, 9)};
  rules.development_roots = {Sha384Digest{1}};
  const std::string text = rules_json(rules).dump();
  const auto again = parsed(nlohmann::json::parse(text));
  ASSERT_TRUE(again.has_value()) << again.error().text;
  EXPECT_EQ(rules_json(*again).dump(), text);
  EXPECT_EQ(again->product_id, 0);
  EXPECT_EQ(again->measurements, rules.measurements);
  const auto plain = parsed(nlohmann::json::parse(rules_json({}).dump()));
  ASSERT_TRUE(plain.has_value()) << plain.error().text;
  EXPECT_FALSE(plain->advisories.has_value());
}

TEST(Rules, that_are_mistyped_are_refused_by_name) {
  struct Row {
    const char* text;
    const char* named;
  };
  for (const Row& row :
       {Row{R"({"tcb_status": []})", "tcb_status"},
        Row{R"({"tcb_statuses": ["Revoked"]})", "Revoked"},
        Row{R"({"tcb_statuses": ["uptodate"]})", "uptodate"},
        Row{R"({"tcb_statuses": "UpToDate"})", "tcb_statuses"},
        Row{R"({"trailing_bytes": true})", "trailing_bytes"},
        Row{R"({"trailing_bytes": "some"})", "trailing_bytes"},
        Row{R"({"measurements": {"mrtb": ["00"]}})", "mrtb"},
        Row{R"({"measurements": {"mrtd": ["00"]}})", "mrtd"},
        Row{R"({"measurements": {"mrtd": []}})", "mrtd"},
        Row{R"({"measurements": []})", "measurements"}, Row{R"({"advisories": [1]})", "advisories"},
        Row{R"({"grace_seconds": -1})", "grace_seconds"},
        Row{R"({"isv_product_id": 65536})", "isv_product_id"},
        Row{R"({"development_roots": ["00"]})", "development_roots"},
        Row{R"({"insecure_allow_debug": 1})", "insecure_allow_debug"}}) {
    const auto rules = parsed(nlohmann::json::parse(row.text));
    ASSERT_FALSE(rules.has_value()) << row.text;
    EXPECT_TRUE(rules.error().text.contains(row.named)) << rules.error().text;
  }
}

}  // namespace
}  // namespace casemate::verify::intel
