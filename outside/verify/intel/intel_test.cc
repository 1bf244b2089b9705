// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/intel.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/intel/testing/platform.h"

namespace casemate::verify::intel {
namespace {

using testing::kDay;
using testing::Kind;
using testing::kNow;
using testing::level_of;
using testing::TestPlatform;
using Json = nlohmann::ordered_json;

struct Judged {
  Verdict verdict;
  Platform platform;
  bool accepted = false;

  [[nodiscard]] std::string first() const {
    const Check* failure = verdict.first_failure();
    return failure == nullptr ? "" : std::string(failure->code);
  }
  [[nodiscard]] const Check& check(std::string_view code, std::string_view subject = "") const {
    static const Check kNone{.code = "none"};
    for (const Check& check : verdict.checks) {
      if (check.code == code && (subject.empty() || check.subject == subject)) return check;
    }
    return kNone;
  }
};

Judged judge(Bytes quote, const Rules& rules, const Collateral& collateral, int64_t now = kNow) {
  Judged judged;
  Checks checks(judged.verdict);
  judged.platform = appraise(quote, rules, collateral, now, checks);
  judged.accepted = judged.verdict.first_failure() == nullptr;
  return judged;
}

Judged judge(const TestPlatform& platform, int64_t now = kNow) {
  return judge(platform.quote(), platform.rules(), platform.collateral(), now);
}

Json& first_levels(TestPlatform& platform) { return platform.tcb_info["tcbLevels"]; }

TEST(Appraisal, accepts_every_kind_of_quote) {
  for (const Kind kind : {Kind::kSgx3, Kind::kSgx5, Kind::kTdx4, Kind::kTdx5, Kind::kTdx15}) {
    const TestPlatform made(kind);
    const Judged judged = judge(made);
    EXPECT_TRUE(judged.accepted) << text_of(judged.verdict);
    EXPECT_EQ(judged.platform.tcb.status, "UpToDate");
    EXPECT_EQ(judged.platform.tcb.evaluation_number, 17u);
    EXPECT_TRUE(judged.platform.development);
    EXPECT_EQ(sha384(judged.platform.root_key), made.root.key_hash());
  }
}

TEST(Appraisal, believes_no_root_but_intel_s_unless_the_rules_name_it) {
  const TestPlatform made(Kind::kTdx4);
  EXPECT_EQ(judge(made.quote(), {}, made.collateral()).first(), "intel.chain");
}

TEST(Appraisal, stops_where_the_proof_breaks_and_lists_the_rest_as_not_run) {
  const TestPlatform made(Kind::kTdx4);
  std::vector<uint8_t> quote = made.quote();
  quote[100] ^= 1;
  const Judged judged = judge(quote, made.rules(), made.collateral());
  EXPECT_EQ(judged.first(), "intel.signature");
  EXPECT_EQ(judged.check("intel.tcb_status").outcome, Outcome::kNotRun);
  EXPECT_EQ(judged.check("intel.debug").outcome, Outcome::kNotRun);
}

TEST(Appraisal, refuses_an_attestation_key_that_the_quoting_enclave_does_not_vouch_for) {
  TestPlatform made(Kind::kSgx3);
  std::vector<uint8_t> quote = made.quote();
  // The QE's data stand behind signature, key, report and its signature.
  quote[48 + 384 + 4 + 64 + 64 + 384 + 64 + 2] ^= 1;
  EXPECT_EQ(judge(quote, made.rules(), made.collateral()).first(), "intel.key_binding");
}

TEST(Appraisal, refuses_a_report_of_the_quoting_enclave_by_another_platform_s_key) {
  TestPlatform made(Kind::kTdx5);
  const std::vector<uint8_t> good = made.quote();
  const auto other = made.pck;
  made.certify();  // the same platform, and a new key
  std::vector<uint8_t> quote = made.quote();
  const size_t at = 54 + 584 + 4 + 64 + 64 + 6 + 384;
  std::copy_n(good.begin() + at, 64, quote.begin() + at);
  EXPECT_EQ(judge(quote, made.rules(), made.collateral()).first(), "intel.qe_signature");
}

TEST(Appraisal, refuses_a_platform_s_certificate_that_is_no_pck_by_a_ca_for_them) {
  TestPlatform made(Kind::kTdx4);
  const auto extension =
      verify::testing::ExtraExtension{"1.2.840.113741.1.13.1", made.pck_extension(), false};
  made.pck = made.ca.issue({.name = "Intel SGX TCB Signing", .extensions = {extension}});
  EXPECT_EQ(judge(made).first(), "intel.chain");
  made.pck = made.root.issue({.name = "Intel SGX PCK Certificate", .extensions = {extension}});
  EXPECT_EQ(judge(made).first(), "intel.chain");
  made.pck = made.ca.issue({.name = "Intel SGX PCK Certificate"});
  EXPECT_EQ(judge(made).first(), "intel.pck");
  made.certify();
  EXPECT_TRUE(judge(made).accepted);
}

TEST(Appraisal, refuses_certificates_outside_of_their_time) {
  TestPlatform made(Kind::kTdx4);
  made.ca = made.ca.renewed(
      {.name = "Intel SGX PCK Platform CA", .authority = true, .not_after = kNow - 1}, made.root);
  EXPECT_EQ(judge(made).first(), "intel.validity");
  EXPECT_NE(judge(made, kNow - 1).first(), "intel.validity");
}

TEST(Appraisal, refuses_debug_unless_allowed) {
  TestPlatform guest(Kind::kTdx4);
  guest.set(120, ByteArray<1>{1});
  TestPlatform enclave(Kind::kSgx3);
  enclave.set(48, ByteArray<1>{2});
  for (const TestPlatform* made : {&guest, &enclave}) {
    const Judged judged = judge(*made);
    EXPECT_EQ(judged.first(), "intel.debug");
    EXPECT_TRUE(judged.platform.debug);
    Rules rules = made->rules();
    rules.insecure_allow_debug = true;
    const Judged allowed = judge(made->quote(), rules, made->collateral());
    EXPECT_TRUE(allowed.accepted);
    EXPECT_EQ(allowed.check("intel.debug").outcome, Outcome::kAllowed);
  }
}

TEST(Appraisal, compares_what_is_measured_with_the_rules_by_name) {
  const TestPlatform made(Kind::kTdx4);
  Rules rules = made.rules();
  const auto mrtd = judge(made).platform.measurements.front();
  EXPECT_EQ(mrtd.name, "mrtd");
  rules.measurements["mrtd"] = {std::vector<uint8_t>(48), mrtd.value};
  EXPECT_TRUE(judge(made.quote(), rules, made.collateral()).accepted);
  rules.measurements["mrtd"].pop_back();
  const Judged other = judge(made.quote(), rules, made.collateral());
  EXPECT_EQ(other.first(), "intel.measurement");
  EXPECT_EQ(other.check("intel.measurement").subject, "mrtd");
  EXPECT_EQ(other.check("intel.measurement").actual, to_hex(mrtd.value));
  rules.measurements = {{"mrenclave", {std::vector<uint8_t>(32)}}};
  EXPECT_EQ(judge(made.quote(), rules, made.collateral()).first(), "intel.measurement");
}

TEST(Appraisal, compares_product_and_security_version_of_an_enclave) {
  TestPlatform made(Kind::kSgx5);
  made.set(256, ByteArray<4>{7, 0, 9, 0});
  Rules rules = made.rules();
  rules.product_id = 7;
  rules.security_version_min = 9;
  EXPECT_TRUE(judge(made.quote(), rules, made.collateral()).accepted);
  EXPECT_EQ(judge(made).platform.security_version, 9u);
  rules.security_version_min = 10;
  EXPECT_EQ(judge(made.quote(), rules, made.collateral()).first(), "intel.security_version");
  rules = made.rules();
  rules.product_id = 8;
  EXPECT_EQ(judge(made.quote(), rules, made.collateral()).first(), "intel.product_id");
  const TestPlatform guest(Kind::kTdx4);
  rules.development_roots = guest.rules().development_roots;
  EXPECT_EQ(judge(guest.quote(), rules, guest.collateral()).first(), "intel.product_id");
}

TEST(Appraisal, lets_padding_of_zeros_pass_and_text_only_by_a_rule) {
  TestPlatform made(Kind::kTdx4);
  Rules rules = made.rules();
  const auto first_by = [&](Trailing trailing) {
    rules.trailing = trailing;
    return judge(made.quote(), rules, made.collateral()).first();
  };
  made.left_over.resize(3065);
  EXPECT_EQ(first_by(Trailing::kNone), "intel.trailing");
  EXPECT_EQ(first_by(Trailing::kZeros), "");
  made.left_over.back() = 'x';
  EXPECT_EQ(first_by(Trailing::kZeros), "intel.trailing");
  EXPECT_EQ(first_by(Trailing::kAny), "");
}

TEST(Revocation, must_be_shown_by_the_lists_of_both_authorities) {
  TestPlatform made(Kind::kTdx4);
  made.with_ca_list = false;
  EXPECT_EQ(judge(made).first(), "intel.revocation");
  made.with_ca_list = true;
  made.with_root_list = false;
  EXPECT_EQ(judge(made).first(), "intel.revocation");
}

TEST(Revocation, of_the_platform_of_its_authority_and_of_the_signer_is_seen) {
  TestPlatform made(Kind::kTdx4);
  made.revoked = {made.pck.certificate()};
  EXPECT_EQ(judge(made).check("intel.revocation", "platform").outcome, Outcome::kFailed);
  EXPECT_TRUE(judge(made).check("intel.revocation", "platform").actual.contains("was revoked"));
  made.revoked = {made.ca.certificate()};
  EXPECT_EQ(judge(made).check("intel.revocation", "platform").outcome, Outcome::kFailed);
  made.revoked = {made.tcb_signer.certificate()};
  EXPECT_EQ(judge(made).check("intel.revocation", "platform").outcome, Outcome::kPassed);
  EXPECT_EQ(judge(made).check("intel.revocation", "TCB info").outcome, Outcome::kFailed);
  EXPECT_EQ(judge(made).check("intel.revocation", "QE identity").outcome, Outcome::kFailed);
}

TEST(Revocation, says_what_to_do_about_a_list_that_is_missing_or_old_and_about_a_certificate) {
  const auto told = [](const auto& bend, std::string_view subject = "platform") {
    TestPlatform made(Kind::kTdx4);
    bend(made);
    const Judged judged = judge(made);
    EXPECT_EQ(judged.check("intel.revocation", subject).outcome, Outcome::kFailed);
    return judged.check("intel.revocation", subject).remedy;
  };
  const auto missing = told([](auto& made) { made.with_ca_list = false; });
  EXPECT_TRUE(missing.starts_with("fetch the revocation lists")) << missing;
  const auto old = told([](auto& made) { made.lists_until = kNow - 1; });
  EXPECT_TRUE(old.starts_with("compare the clock")) << old;
  EXPECT_TRUE(old.contains("casemate collateral fetch")) << old;
  const auto pck = told([](auto& made) { made.revoked = {made.pck.certificate()}; });
  EXPECT_TRUE(pck.starts_with("do not use this platform")) << pck;
  EXPECT_FALSE(pck.contains("fetch")) << pck;
  // Its authority's certificate counts though the list of its own is not even there.
  const auto above = told([](auto& made) {
    made.revoked = {made.ca.certificate()};
    made.with_ca_list = false;
  });
  EXPECT_EQ(above, pck);
  const auto signer =
      told([](auto& made) { made.revoked = {made.tcb_signer.certificate()}; }, "TCB info");
  EXPECT_TRUE(signer.starts_with("remove this collateral")) << signer;
}

TEST(Statements, count_from_their_issue_to_their_next_update_and_the_grace_beyond) {
  TestPlatform made(Kind::kTdx4);
  made.lists_until = kNow + 60 * kDay;
  EXPECT_EQ(judge(made, kNow - kDay - 1).check("intel.tcb_time").outcome, Outcome::kFailed);
  EXPECT_TRUE(judge(made, kNow - kDay).accepted);
  EXPECT_TRUE(judge(made, kNow + 29 * kDay).accepted);
  EXPECT_EQ(judge(made, kNow + 29 * kDay + 1).first(), "intel.tcb_time");
  Rules rules = made.rules();
  rules.grace_seconds = kDay;
  const auto at = [&](int64_t now) { return judge(made.quote(), rules, made.collateral(), now); };
  EXPECT_TRUE(at(kNow + 30 * kDay).accepted);
  EXPECT_EQ(at(kNow + 30 * kDay).check("intel.qe_time").outcome, Outcome::kAllowed);
  EXPECT_EQ(at(kNow + 30 * kDay + 1).first(), "intel.tcb_time");
  made.lists_until = kNow;
  EXPECT_TRUE(at(kNow + kDay).accepted);
  EXPECT_EQ(at(kNow + kDay).check("intel.revocation").outcome, Outcome::kAllowed);
  EXPECT_EQ(at(kNow + kDay + 1).first(), "intel.revocation");
}

TEST(Statements, must_be_there) {
  const TestPlatform made(Kind::kTdx4);
  Collateral lists;
  const Collateral whole = made.collateral();
  for (const auto& crl : whole.crls()) lists.add(crl);
  const Judged judged = judge(made.quote(), made.rules(), lists);
  EXPECT_EQ(judged.first(), "intel.tcb_info");
  EXPECT_EQ(judged.check("intel.level").outcome, Outcome::kNotRun);
}

TEST(Statements, of_another_family_encoding_or_tee_do_not_count) {
  for (const auto& [key, value] :
       {std::pair{"fmspc", "00806F050000"}, std::pair{"pceId", "0001"}, std::pair{"id", "SGX"}}) {
    TestPlatform made(Kind::kTdx4);
    made.tcb_info[key] = value;
    EXPECT_EQ(judge(made).first(), "intel.tcb_info") << key;
  }
  TestPlatform made(Kind::kTdx4);
  made.qe_identity["id"] = "QE";
  EXPECT_EQ(judge(made).first(), "intel.qe_identity");
}

// The service's own answer; `indent` says how the inner value is spelled in it.
std::string answer(const TestPlatform& made, int indent) {
  const std::string text = made.tcb_info.dump();
  return formatted("{{ \"tcbInfo\" : {} , \"signature\":\"{}\"}}", made.tcb_info.dump(indent),
                   to_hex(made.tcb_signer.sign(bytes_of(std::string_view(text)))));
}

Collateral with_answer(const TestPlatform& made, const std::string& text) {
  Collateral collateral;
  const Collateral whole = made.collateral();
  for (const auto& crl : whole.crls()) collateral.add(crl);
  collateral.add(made.tcb_signer.certificate());
  const std::string identity = made.qe_identity.dump();
  const std::string qe =
      formatted("{{\"enclaveIdentity\":{},\"signature\":\"{}\"}}", identity,
                to_hex(made.tcb_signer.sign(bytes_of(std::string_view(identity)))));
  EXPECT_TRUE(collateral.add("qe.json", bytes_of(std::string_view(qe))).has_value());
  EXPECT_TRUE(collateral.add("tcb.json", bytes_of(std::string_view(text))).has_value());
  return collateral;
}

TEST(Statements, are_signed_as_they_are_spelled) {
  const TestPlatform made(Kind::kTdx4);
  const auto first_of = [&](const std::string& text) {
    return judge(made.quote(), made.rules(), with_answer(made, text)).first();
  };
  EXPECT_EQ(first_of(answer(made, -1)), "");
  EXPECT_EQ(first_of(answer(made, 1)), "intel.tcb_info");
  // A second value of the same name would let two readers differ.
  std::string twice = answer(made, -1);
  twice.insert(1, "\"tcbInfo\":{},");
  EXPECT_EQ(first_of(twice), "intel.tcb_info");
  // The name inside of a text is none.
  std::string quoted = answer(made, -1);
  quoted.insert(1, R"("note":"\"tcbInfo\":{}",)");
  EXPECT_EQ(first_of(quoted), "");
}

TEST(Statements, by_any_key_but_the_tcb_signer_s_do_not_count) {
  TestPlatform made(Kind::kTdx4);
  const auto signer = made.tcb_signer;
  made.tcb_signer = made.pck;
  EXPECT_EQ(judge(made).first(), "intel.tcb_info");
  made.tcb_signer = made.root.issue({.name = "Intel SGX TCB Signing too"});
  EXPECT_EQ(judge(made).first(), "intel.tcb_info");
  made.tcb_signer = made.ca.issue({.name = "Intel SGX TCB Signing"});
  EXPECT_EQ(judge(made).first(), "intel.tcb_info");
  made.tcb_signer = signer;
  EXPECT_TRUE(judge(made).accepted);
}

TEST(Statements, of_another_accepted_root_do_not_count) {
  const TestPlatform other(Kind::kTdx4);
  TestPlatform made(Kind::kTdx4);
  Rules rules = made.rules();
  rules.development_roots.push_back(other.root.key_hash());
  EXPECT_EQ(judge(made.quote(), rules, other.collateral()).check("intel.tcb_info").outcome,
            Outcome::kFailed);
}

TEST(Statements, by_a_signer_whose_certificate_was_renewed_count) {
  TestPlatform made(Kind::kTdx4);
  const auto old = made.tcb_signer.renewed(
      {.name = "Intel SGX TCB Signing", .not_after = kNow - 5 * kDay}, made.root);
  Collateral collateral = made.collateral();
  collateral.add(old.certificate());
  EXPECT_TRUE(judge(made.quote(), made.rules(), collateral).accepted);
  made.tcb_signer = old;
  EXPECT_EQ(judge(made).first(), "intel.signer_validity");
}

TEST(Statements, that_are_newer_win_and_old_releases_are_refused_by_a_rule) {
  TestPlatform made(Kind::kTdx4);
  TestPlatform newer = made;
  newer.tcb_info["tcbEvaluationDataNumber"] = 18;
  first_levels(newer)[0]["tcbStatus"] = "SWHardeningNeeded";
  Collateral both = made.collateral();
  const Collateral of_newer = newer.collateral();
  for (const auto& file : of_newer.documents())
    ASSERT_TRUE(both.add("newer", file.content).has_value());
  EXPECT_EQ(judge(made.quote(), made.rules(), both).platform.tcb.status, "SWHardeningNeeded");
  Rules rules = made.rules();
  rules.evaluation_number_min = 18;
  EXPECT_EQ(judge(made.quote(), rules, made.collateral()).first(), "intel.evaluation_number");
  // The number of the QE's identity counts too.
  EXPECT_EQ(judge(made.quote(), rules, newer.collateral()).first(), "intel.evaluation_number");
}

TEST(QuotingEnclave, must_be_the_one_of_the_identity_in_every_field) {
  struct Change {
    std::string_view what;
    size_t offset;
    uint8_t value;
  };
  for (const Change& change : {Change{"signer", 128, 0xDD}, Change{"product", 256, 1},
                               Change{"misc", 16, 1}, Change{"debug", 48, 0x13}}) {
    TestPlatform made(Kind::kTdx4);
    made.qe_report[change.offset] = change.value;
    EXPECT_EQ(judge(made).first(), "intel.qe") << change.what;
  }
  TestPlatform made(Kind::kTdx4);
  made.qe_report[48] = 0x15;  // a bit that the mask leaves out
  EXPECT_TRUE(judge(made).accepted);
}

TEST(QuotingEnclave, has_a_level_that_counts_for_the_whole) {
  TestPlatform made(Kind::kSgx3);
  made.qe_report[258] = 4;
  const Judged old = judge(made);
  EXPECT_EQ(old.first(), "intel.tcb_status");
  EXPECT_EQ(old.platform.tcb.status, "OutOfDate");
  EXPECT_EQ(old.platform.tcb.advisories, std::vector<std::string>{"INTEL-SA-00004"});
  made.qe_report[258] = 2;
  EXPECT_EQ(judge(made).platform.tcb.status, "Revoked");
  made.qe_report[258] = 1;
  EXPECT_EQ(judge(made).first(), "intel.qe_level");
}

TEST(Levels, are_matched_by_the_certificate_s_components_and_say_what_is_short) {
  TestPlatform made(Kind::kSgx3);
  made.components[7] = 4;
  made.certify();
  const Judged lower = judge(made);
  EXPECT_EQ(lower.first(), "intel.tcb_status");
  EXPECT_EQ(lower.platform.tcb.status, "OutOfDate");
  EXPECT_TRUE(lower.check("intel.tcb_status").remedy.contains("component 8"))
      << lower.verdict.next();
  EXPECT_TRUE(lower.check("intel.tcb_status").remedy.contains("from 4 to 5 by a newer firmware"));
  made.components[7] = 2;
  made.certify();
  const Judged none = judge(made);
  EXPECT_EQ(none.first(), "intel.level");
  EXPECT_EQ(none.check("intel.level").actual,
            "no TCB level matches: component 8 (BIOS, Early Microcode Update) is 2");
  EXPECT_TRUE(none.check("intel.level").expected.contains("the level of 2026-01-01"));
  made.components[7] = 5;
  made.pce_svn = 12;
  made.certify();
  EXPECT_EQ(judge(made).first(), "intel.level");
}

TEST(Levels, ignore_the_version_in_the_body_of_the_quote_and_take_255) {
  TestPlatform made(Kind::kSgx3);
  made.set(0, ByteArray<16>{});  // lower than any level
  made.components.fill(255);
  made.pce_svn = 0xFFFF;
  made.certify();
  EXPECT_TRUE(judge(made).accepted);
}

TEST(Levels, of_tdx_compare_the_guest_s_components_too) {
  TestPlatform made(Kind::kTdx4);
  made.set(15, ByteArray<1>{4});
  EXPECT_EQ(judge(made).platform.tcb.status, "OutOfDate");
  made.set(15, ByteArray<1>{2});
  const Judged judged = judge(made);
  EXPECT_EQ(judged.first(), "intel.level");
  EXPECT_TRUE(judged.check("intel.level").actual.contains("TDX component 16"));
}

Json module_of(std::string_view id, std::initializer_list<std::pair<int, const char*>> levels) {
  Json module = {{"id", id},
                 {"mrsigner", std::string(96, '0')},
                 {"attributes", std::string(16, '0')},
                 {"attributesMask", std::string(16, 'F')},
                 {"tcbLevels", Json::array()}};
  for (const auto& [version, status] : levels) {
    Json level;
    level["tcb"]["isvsvn"] = version;
    level["tcbDate"] = "2026-01-01T00:00:00Z";
    level["tcbStatus"] = status;
    module["tcbLevels"].push_back(level);
  }
  return module;
}

TEST(Module, with_a_major_version_is_judged_by_its_own_identity) {
  TestPlatform made(Kind::kTdx15);
  made.set(0, ByteArray<2>{2, 1});  // component 1 is below every level, and does not count
  EXPECT_EQ(judge(made).first(), "intel.module");
  made.tcb_info["tdxModuleIdentities"] = Json::array();
  made.tcb_info["tdxModuleIdentities"].push_back(module_of("TDX_03", {{1, "UpToDate"}}));
  EXPECT_EQ(judge(made).first(), "intel.module");
  made.tcb_info["tdxModuleIdentities"].push_back(
      module_of("TDX_01", {{3, "UpToDate"}, {2, "OutOfDate"}}));
  EXPECT_EQ(judge(made).first(), "intel.tcb_status");
  EXPECT_EQ(judge(made).platform.tcb.status, "OutOfDate");
  made.set(0, ByteArray<1>{3});
  EXPECT_TRUE(judge(made).accepted);
  made.set(0, ByteArray<1>{1});
  EXPECT_EQ(judge(made).first(), "intel.module");
}

TEST(Module, must_be_signed_and_configured_as_its_identity_says) {
  for (const size_t offset : {64u, 112u}) {
    TestPlatform made(Kind::kTdx4);
    made.set(offset, ByteArray<1>{1});
    EXPECT_EQ(judge(made).first(), "intel.module") << offset;
  }
}

TEST(Status, of_platform_and_enclave_is_combined_and_judged_by_the_rules) {
  struct Row {
    const char* platform;
    const char* enclave;
    const char* both;
  };
  for (const Row& row :
       {Row{"UpToDate", "UpToDate", "UpToDate"},
        Row{"SWHardeningNeeded", "UpToDate", "SWHardeningNeeded"},
        Row{"SWHardeningNeeded", "OutOfDate", "OutOfDate"},
        Row{"ConfigurationNeeded", "UpToDate", "ConfigurationNeeded"},
        Row{"ConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"},
        Row{"ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"},
        Row{"OutOfDate", "Revoked", "Revoked"}, Row{"Revoked", "UpToDate", "Revoked"}}) {
    TestPlatform made(Kind::kSgx3);
    first_levels(made)[0]["tcbStatus"] = row.platform;
    made.qe_identity["tcbLevels"][0]["tcbStatus"] = row.enclave;
    const Judged judged = judge(made);
    EXPECT_EQ(judged.platform.tcb.status, row.both);
    EXPECT_EQ(judged.accepted, std::string_view(row.both) == "UpToDate");
    Rules rules = made.rules();
    rules.tcb_statuses.emplace_back(row.both);
    // Even where the rules were filled by hand.
    EXPECT_EQ(judge(made.quote(), rules, made.collateral()).accepted,
              std::string_view(row.both) != "Revoked");
  }
}

TEST(Status, that_is_not_known_is_none) {
  TestPlatform made(Kind::kSgx3);
  first_levels(made)[1]["tcbStatus"] = "Splendid";
  EXPECT_EQ(judge(made).first(), "intel.tcb_info");
}

TEST(Status, may_come_with_the_advisories_that_the_rules_list) {
  TestPlatform made(Kind::kSgx3);
  first_levels(made)[0]["advisoryIDs"] = {"INTEL-SA-00001", "INTEL-SA-00002"};
  Rules rules = made.rules();
  EXPECT_TRUE(judge(made.quote(), rules, made.collateral()).accepted);
  rules.advisories = {"INTEL-SA-00002"};
  const Judged judged = judge(made.quote(), rules, made.collateral());
  EXPECT_EQ(judged.first(), "intel.advisories");
  EXPECT_EQ(judged.check("intel.advisories").actual, "INTEL-SA-00001");
  rules.advisories->emplace_back("INTEL-SA-00001");
  EXPECT_TRUE(judge(made.quote(), rules, made.collateral()).accepted);
}

TEST(TcbInfo, of_version_2_is_read) {
  TestPlatform made(Kind::kSgx3);
  made.tcb_info.erase("id");
  made.tcb_info["version"] = 2;
  for (Json& level : first_levels(made)) {
    const Json svn = level["tcb"]["sgxtcbcomponents"][0]["svn"];
    level["tcb"].erase("sgxtcbcomponents");
    for (int i = 1; i <= 16; ++i) level["tcb"][formatted("sgxtcbcomp{:02}svn", i)] = svn;
  }
  EXPECT_TRUE(judge(made).accepted) << text_of(judge(made).verdict);
  first_levels(made)[0]["tcb"].erase("sgxtcbcomp16svn");
  EXPECT_EQ(judge(made).first(), "intel.tcb_info");
}

TEST(TcbInfo, that_lacks_anything_is_refused_and_nothing_falls_over) {
  const TestPlatform made(Kind::kTdx4);
  for (const auto& [key, unused] : made.tcb_info.items()) {
    TestPlatform bent = made;
    bent.tcb_info.erase(key);
    // Without a module's identity there is none to compare.
    EXPECT_EQ(judge(bent).first(), key == "tdxModule" ? "intel.module" : "intel.tcb_info") << key;
    bent.tcb_info[key] = -1;
    EXPECT_EQ(judge(bent).first(), "intel.tcb_info") << key;
  }
  for (const auto& [key, unused] : made.qe_identity.items()) {
    TestPlatform bent = made;
    bent.qe_identity.erase(key);
    EXPECT_EQ(judge(bent).first(), "intel.qe_identity") << key;
  }
  TestPlatform bent = made;
  bent.tcb_info["tcbLevels"] = Json::array();
  EXPECT_EQ(judge(bent).first(), "intel.level");
}

}  // namespace
}  // namespace casemate::verify::intel
