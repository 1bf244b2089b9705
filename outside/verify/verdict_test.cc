// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "outside/verify/pins.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/verify.h"

namespace casemate::verify {
namespace {

using testing::Signer;

Verdict verdict_under(const Policy& policy, std::string_view model = "digits") {
  Signer signer;
  signer.add_model(model);
  signer.sign();
  return verify_evidence(signer.evidence(),
                         {.tls_key = signer.tls.public_der(), .now_unix = testing::kNow}, policy);
}

Policy development() {
  Policy policy;
  policy.allow_software_root = true;
  return policy;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(Verdict, a_development_root_is_named_in_the_first_line) {
  for (const Policy& policy : {Policy{}, development()}) {
    EXPECT_TRUE(text_of(verdict_under(policy)).starts_with("DEVELOPMENT ROOT"));
  }
}

TEST(Verdict, a_refusal_says_in_one_line_what_was_expected_found_and_what_to_do) {
  const std::string line = line_of(verdict_under(Policy{}));
  EXPECT_TRUE(line.starts_with("refused: root.kind: expected a hardware root, found a development"))
      << line;
  EXPECT_TRUE(contains(line, "--allow-software-root"));
  EXPECT_FALSE(contains(line, "\n"));
}

TEST(Verdict, what_a_policy_leaves_open_is_said_by_name) {
  const std::string text = text_of(verdict_under(development()));
  EXPECT_TRUE(contains(text, "insecure_any_root"));
  EXPECT_TRUE(contains(text, "insecure_unpinned: any platform"));
  EXPECT_TRUE(
      contains(text, "insecure_unpinned: any program, manifest, device, peers of the gate"));
  EXPECT_TRUE(contains(text, "insecure_unpinned: any model"));
  const std::string again = text_of(verdict_under(pinned_policy(verdict_under(development()))));
  EXPECT_FALSE(contains(again, "insecure_unpinned"));
}

TEST(Verdict, refused_measurements_are_marked_as_not_proved) {
  EXPECT_TRUE(contains(text_of(verdict_under(Policy{})), "claimed and not proved"));
  EXPECT_FALSE(contains(text_of(verdict_under(development())), "claimed and not proved"));
}

TEST(Verdict, the_json_form_tells_the_same) {
  const auto json = nlohmann::json::parse(json_of(verdict_under(Policy{})));
  EXPECT_EQ(json["status"], "refused");
  EXPECT_EQ(json["ear.status"], 96);
  EXPECT_EQ(json["development_root"], true);
  EXPECT_EQ(json["first_failure"]["code"], "root.kind");
  EXPECT_EQ(json["time_used"], "2026-03-01T00:00:00Z");
  EXPECT_EQ(json["enclaves"][1]["name"], "digits");
  EXPECT_EQ(json["enclaves"][1]["model"], to_hex(testing::digest_of("digits model")));
  const auto good = nlohmann::json::parse(json_of(verdict_under(development())));
  EXPECT_EQ(good["status"], "verified-development");
  EXPECT_EQ(good["ear.status"], 32);
  EXPECT_TRUE(good["first_failure"].is_null());
}

// Refused for its root, and, though that is known by then, for its gateway and its model too.
Verdict refused_for_three() {
  Policy policy;
  policy.gateway.program = {Sha384Digest{1}};
  policy.models["digits"].model = {Sha384Digest{2}};
  return verdict_under(policy);
}

TEST(Verdict, every_check_in_the_json_says_what_was_wanted_and_found_and_a_failed_one_what_to_do) {
  for (const Verdict& verdict : {refused_for_three(), verdict_under(development())}) {
    const auto json = nlohmann::json::parse(json_of(verdict));
    size_t failed = 0;
    for (const auto& check : json["checks"]) {
      EXPECT_NE(check.value("expected", ""), "") << check.dump();
      EXPECT_NE(check.value("actual", ""), "") << check.dump();
      EXPECT_EQ(!check.value("remedy", "").empty(), check["outcome"] == "failed") << check.dump();
      failed += check["outcome"] == "failed" ? 1 : 0;
    }
    EXPECT_EQ(failed, verdict.passed ? 0u : 3u);
    EXPECT_EQ(json["first_failure"].is_null(), verdict.passed);
    if (verdict.passed) continue;
    EXPECT_EQ(json["first_failure"]["remedy"], json["next"]);
  }
}

TEST(Verdict, a_check_that_passed_says_which_value_that_was) {
  const Verdict seen = verdict_under(development());
  const Verdict verdict = verdict_under(pinned_policy(seen));
  const auto found = [&](std::string_view code) {
    const auto check = std::ranges::find(verdict.checks, code, &Check::code);
    EXPECT_EQ(check->outcome, Outcome::kPassed) << code;
    return check->actual;
  };
  EXPECT_EQ(found("platform.measurement"), to_hex(verdict.platform));
  EXPECT_EQ(found("enclave.program"), to_hex(verdict.tokens[0].program_measurement));
  EXPECT_TRUE(found("token.issued").starts_with("issued at "));
  EXPECT_EQ(found("quote.debug"), "as expected") << "no flag that it should not have";
}

TEST(Verdict, the_text_of_a_refusal_says_of_each_failed_check_what_to_do_and_others_are_titles) {
  const Verdict verdict = refused_for_three();
  const std::string text = text_of(verdict);
  for (const Check& check : verdict.checks) {
    if (check.outcome != Outcome::kFailed) continue;
    EXPECT_TRUE(contains(text, "          expected " + check.expected + "\n")) << check.code;
    EXPECT_TRUE(contains(text, "          found    " + check.actual + "\n")) << check.code;
    EXPECT_TRUE(contains(text, "          to do    " + check.remedy + "\n")) << check.code;
  }
  EXPECT_FALSE(contains(text_of(verdict_under(development())), "          expected "));
}

TEST(Verdict, a_hostile_name_cannot_write_to_the_terminal_or_break_the_json) {
  const Verdict verdict = verdict_under(development(), "\x1b[2J\"\n\xFF");
  EXPECT_TRUE(verdict.passed);
  EXPECT_FALSE(contains(text_of(verdict), "\x1b"));
  EXPECT_FALSE(contains(line_of(verdict), "\n"));
  EXPECT_EQ(nlohmann::json::parse(json_of(verdict))["enclaves"][1]["name"], "?[2J\"??");
}

TEST(Verdict, times_that_are_no_dates_are_written_as_numbers) {
  Verdict verdict;
  verdict.time_used_unix = INT64_MAX;
  verdict.quote_issued_unix = INT64_MIN;
  EXPECT_TRUE(contains(json_of(verdict), "9223372036854775807 s"));
}

TEST(Verdict, every_check_has_a_title_and_a_remedy_of_its_own_code) {
  std::set<std::string_view> codes;
  for (const Check& check : verdict_under(development()).checks) {
    codes.insert(check.code);
    EXPECT_FALSE(check.title.empty()) << check.code;
    EXPECT_FALSE(check.remedy.empty()) << check.code;
  }
  EXPECT_GE(codes.size(), 28u);
}

}  // namespace
}  // namespace casemate::verify
