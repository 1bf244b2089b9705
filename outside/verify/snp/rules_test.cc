// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/rules.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace casemate::verify::snp {
namespace {

Result<Rules> parse(std::string_view text) {
  const auto json = TRY(parse_json(text, "the policy"));
  JsonObject object = TRY(JsonObject::of(json, "the policy: \"snp\""));
  return parse_rules(object);
}

std::string refusal(std::string_view text) {
  const auto rules = parse(text);
  return rules ? "accepted" : rules.error().text;
}

TEST(SnpRules, are_written_as_they_are_read) {
  const std::string key = to_hex(std::vector<uint8_t>(48, 7));
  const auto rules = parse(formatted(
      R"({{"roots": {{"Turin": ["{0}"]}}, "tcb_min": {{"Turin": {{"fmc": 1, "snp": 200}}}},
          "launch_tcb_min": {{"Milan": {{"microcode": 9}}}}, "firmware_min": "1.55.3",
          "guest_svn_min": 4, "vmpl_max": 1, "mitigations": 6, "measurement": ["{0}", "{0}"],
          "launch": [{{"firmware": "O.fd", "processors": 2, "kernel": "",
                      "command_line": "quiet"}}],
          "providers": ["A"], "allow_smt": false, "require_crl": true}})",
      key));
  ASSERT_TRUE(rules) << rules.error().text;
  ASSERT_EQ(rules->roots.size(), 1u);
  EXPECT_EQ(rules->roots[0].product, Product::kTurin);
  EXPECT_EQ(*rules->tcb_min[2], (Tcb{1, 0, 0, 200, 0, 0, 0, 0}));
  EXPECT_EQ(*rules->launch_tcb_min[0], (Tcb{0, 0, 0, 0, 0, 0, 0, 9}));
  EXPECT_EQ(rules->firmware_min.minor, 55);
  EXPECT_EQ(rules->measurement.size(), 2u);
  EXPECT_FALSE(rules->allow_smt);
  ASSERT_TRUE(rules->launches.at(0).launch.kernel);
  EXPECT_EQ(rules->launches[0].launch.kernel->kernel, sha256({}));
  EXPECT_EQ(rules->launches[0].launch.processors, 2u);
  EXPECT_TRUE(rules->require_crl);
  const std::string text = rules_json(*rules).dump();
  const auto again = parse(text);
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(rules_json(*again).dump(), text);
}

TEST(SnpRules, of_an_empty_object_are_the_usual_ones) {
  const auto rules = parse("{}");
  ASSERT_TRUE(rules) << rules.error().text;
  EXPECT_EQ(rules_json(*rules).dump(), rules_json(Rules{}).dump());
  EXPECT_EQ(rules->roots, vendor_roots());
  EXPECT_FALSE(rules->insecure_allow_debug);
}

TEST(SnpRules, that_are_wrong_are_refused_with_the_key) {
  const auto names = [](std::string_view text, std::string_view key) {
    const std::string words = refusal(text);
    EXPECT_NE(words.find(key), std::string::npos) << words;
  };
  names(R"({"allow_debug": true})", "allow_debug");
  names(R"({"roots": {"Rome": []}})", "Rome");
  names(R"({"roots": {"Milan": ["00"]}})", "Milan");
  names(R"({"tcb_min": {"Milan": {"fmc": 1}}})", "fmc");
  names(R"({"tcb_min": {"Milan": {"snp": 256}}})", "snp");
  names(R"({"tcb_min": {"Milan": 3}})", "Milan");
  names(R"({"measurement": "00"})", "measurement");
  names(R"({"measurement": ["00"]})", "measurement");
  names(R"({"host_data": [7]})", "host_data");
  names(R"({"vmpl_max": 4})", "vmpl_max");
  names(R"({"guest_svn_min": -1})", "guest_svn_min");
  names(R"({"providers": [1]})", "providers");
  names(R"({"launch": {}})", "launch");
  names(R"({"launch": [{"processors": 1}]})", "firmware");
  names(R"({"launch": [{"firmware": "a", "processors": 0}]})", "processors");
  names(R"({"launch": [{"firmware": "a", "kernel": "00"}]})", "kernel");
  names(R"({"launch": [{"firmware": "a", "command_line": "quiet"}]})", "kernel");
  names(R"({"launch": [{"firmware": "a", "cpus": 1}]})", "cpus");
  for (const std::string_view version : {"\"1.2\"", "\"1.2.3.4\"", "\"1.2.256\"", "\"\"", "3",
                                         "\"1..2\"", "\"a.b.c\"", "\"1.2.3 \""}) {
    names(formatted(R"({{"firmware_min": {}}})", version), "firmware_min");
  }
}

}  // namespace
}  // namespace casemate::verify::snp
