// SPDX-License-Identifier: Apache-2.0
// Evidence of real platforms gets the verdicts that were computed for it independently.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/ra_tls.h"
#include "outside/verify/intel/tcb.h"
#include "outside/verify/intel/testing/vectors.h"

namespace casemate::verify::intel {
namespace {

using testing::vector_collateral;
using testing::vector_file;

struct Outcomes {
  Verdict verdict;
  Platform platform;

  [[nodiscard]] std::string first() const {
    const Check* failure = verdict.first_failure();
    return failure == nullptr ? "" : std::string(failure->code);
  }
  [[nodiscard]] const Check& check(std::string_view code) const {
    static const Check kNone{.code = "none"};
    const auto found = std::ranges::find(verdict.checks, code, &Check::code);
    return found == verdict.checks.end() ? kNone : *found;
  }
  // Signatures and the chain to the root, without what only collateral tells.
  void expect_sound() const {
    for (const auto* code : {"intel.form", "intel.signature", "intel.key_binding", "intel.pck",
                             "intel.qe_signature", "intel.chain", "intel.validity"})
      EXPECT_EQ(check(code).outcome, Outcome::kPassed) << code << check(code).actual;
    EXPECT_FALSE(platform.development);
    EXPECT_EQ(sha384(platform.root_key), kRootKeyHash);
  }
};

Outcomes outcomes(Bytes quote, const Collateral& collateral, std::string_view time,
                  const Rules& rules = {}) {
  Outcomes found;
  Checks checks(found.verdict);
  found.platform = appraise(quote, rules, collateral, *time_of(time), checks);
  return found;
}

class Vectors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::vectors_folder().empty()) GTEST_SKIP() << "../shared/data/attestation is missing";
  }
};

TEST_F(Vectors, tdx_version_4_is_up_to_date_while_its_collateral_is_in_force) {
  const auto quote = vector_file("tdx/v4-uptodate-quote.bin");
  const Collateral collateral = vector_collateral({"tdx/v4-uptodate-collateral.json"});
  const auto at = [&](std::string_view time) { return outcomes(quote, collateral, time); };
  for (const auto* time :
       {"2025-06-19T10:32:27Z", "2025-07-01T00:00:00Z", "2025-07-19T10:00:35Z"}) {
    const Outcomes found = at(time);
    EXPECT_EQ(found.first(), "") << text_of(found.verdict);
    found.expect_sound();
    EXPECT_EQ(found.platform.tcb.status, "UpToDate");
    EXPECT_EQ(found.platform.tcb.evaluation_number, 17u);
    EXPECT_EQ(found.platform.tcb.date, "2024-03-13T00:00:00Z");
    EXPECT_TRUE(found.platform.tcb.advisories.empty());
    EXPECT_EQ(found.platform.root, "tdx");
    EXPECT_FALSE(found.platform.debug);
    // Seventy zeros stand behind the signature.
    EXPECT_EQ(found.check("intel.trailing").outcome, Outcome::kAllowed);
  }
  EXPECT_EQ(at("2025-06-19T10:32:26Z").first(), "intel.qe_time");
  EXPECT_EQ(at("2025-07-19T10:00:36Z").first(), "intel.revocation");
  EXPECT_EQ(at("2026-07-19T10:00:36Z").check("intel.tcb_time").outcome, Outcome::kFailed);
  Rules strict;
  strict.trailing = Trailing::kNone;
  EXPECT_EQ(outcomes(quote, collateral, "2025-07-01T00:00:00Z", strict).first(), "intel.trailing");
}

TEST_F(Vectors, tdx_version_5_after_a_tcb_recovery_reaches_no_level_and_is_told_which_part) {
  const auto quote = vector_file("tdx/v5-no-level-quote.bin");
  const Collateral collateral = vector_collateral({"tdx/v5-no-level-collateral.json"});
  const Outcomes found = outcomes(quote, collateral, "2026-03-01T00:00:00Z");
  found.expect_sound();
  EXPECT_EQ(found.first(), "intel.level");
  EXPECT_EQ(found.check("intel.level").actual,
            "no TCB level matches: component 8 (OS/VMM, SEAMLDR ACM) is 3");
  EXPECT_TRUE(found.check("intel.level").expected.contains("SEAMLDR ACM) at least 5"));
  EXPECT_TRUE(found.verdict.next().contains("from 3 to 5 by newer modules and microcode"));
  for (const auto* edge : {"2026-02-18T10:58:51Z", "2026-03-20T10:41:15Z"})
    EXPECT_EQ(outcomes(quote, collateral, edge).first(), "intel.level");
  EXPECT_EQ(outcomes(quote, collateral, "2026-02-18T10:58:50Z").first(), "intel.tcb_time");
  EXPECT_EQ(outcomes(quote, collateral, "2026-03-20T10:41:16Z").first(), "intel.revocation");
}

TEST_F(Vectors, tdx_version_5_is_up_to_date_by_either_spelling_of_its_collateral) {
  const auto quote = vector_file("tdx/v5-quote.dat");
  const Outcomes bundle = outcomes(quote, vector_collateral({"tdx/v5-no-level-collateral.json"}),
                                   "2026-03-01T00:00:00Z");
  EXPECT_EQ(bundle.first(), "") << text_of(bundle.verdict);
  bundle.expect_sound();
  EXPECT_EQ(bundle.platform.tcb.status, "UpToDate");
  EXPECT_EQ(bundle.platform.tcb.evaluation_number, 18u);
  // At this time the answer with its FMSPC in lower case is the only TCB info that is in force.
  const Collateral both =
      vector_collateral({"tdx/tcb-info-90c06f-2026-02.json", "tdx/v5-no-level-collateral.json"});
  const Outcomes answer = outcomes(quote, both, "2026-02-10T00:00:00Z");
  EXPECT_EQ(answer.check("intel.tcb_time").outcome, Outcome::kPassed);
  EXPECT_EQ(answer.check("intel.level").outcome, Outcome::kPassed);
  EXPECT_EQ(answer.platform.tcb.status, bundle.platform.tcb.status);
  EXPECT_EQ(answer.platform.tcb.date, bundle.platform.tcb.date);
  EXPECT_EQ(outcomes(quote, both, "2026-03-01T00:00:00Z").first(), "");
}

TEST_F(Vectors, text_behind_a_quote_is_refused_and_by_a_rule_the_platform_reaches_no_level) {
  const auto quote = vector_file("tdx/v4-trailing-text-quote.dat");
  const Collateral collateral =
      vector_collateral({"tdx/tcb-info-50806f-2023-06.json", "tdx/td-qe-identity-2023-06.json",
                         "tdx/pck-platform-crl-2023-06.der", "tdx/root-crl-2023-04.der",
                         "tdx/v4-uptodate-collateral.json"});
  const auto* time = "2023-06-20T00:00:00Z";
  EXPECT_EQ(outcomes(quote, collateral, time).first(), "intel.trailing");
  Rules rules;
  rules.trailing = Trailing::kAny;
  const Outcomes found = outcomes(quote, collateral, time, rules);
  found.expect_sound();
  EXPECT_EQ(found.first(), "intel.level") << text_of(found.verdict);
  EXPECT_EQ(found.check("intel.qe_level").outcome, Outcome::kPassed);
  EXPECT_EQ(found.check("intel.revocation").outcome, Outcome::kPassed);
  // From the issue of the TCB info to where the first statement of all is over: the identity.
  const auto in_force = [&](std::string_view at) {
    const Outcomes judged = outcomes(quote, collateral, at, rules);
    return judged.check("intel.tcb_time").outcome == Outcome::kPassed &&
           judged.check("intel.qe_time").outcome == Outcome::kPassed &&
           judged.check("intel.revocation").outcome == Outcome::kPassed;
  };
  EXPECT_FALSE(in_force("2023-06-18T08:42:57Z"));
  for (const auto* edge : {"2023-06-18T08:42:58Z", "2023-07-08T07:24:59Z"}) {
    EXPECT_TRUE(in_force(edge)) << edge;
    EXPECT_EQ(outcomes(quote, collateral, edge, rules).first(), "intel.level") << edge;
  }
  EXPECT_FALSE(in_force("2023-07-08T07:25:00Z"));
  // The signer's certificate that is at hand was renewed, under the same key, in 2025.
  EXPECT_EQ(found.check("intel.signer_validity").outcome, Outcome::kFailed);
  EXPECT_EQ(outcomes(quote, collateral, "2023-07-08T07:27:53Z", rules).first(), "intel.revocation");
}

TEST_F(Vectors, a_quote_in_a_buffer_of_zeros_is_sound_and_its_log_explains_it) {
  const auto quote = vector_file("tdx/v4-ccel-quote.dat");
  const Collateral log = vector_collateral({"tdx/ccel-log.dat", "tdx/ccel-acpi-table.dat"});
  const Outcomes found = outcomes(quote, log, "2025-01-01T00:00:00Z");
  found.expect_sound();
  EXPECT_EQ(found.check("intel.event_log").outcome, Outcome::kPassed);
  const auto report_data = vector_file("tdx/ccel-report-data.dat");
  EXPECT_TRUE(std::ranges::equal(found.platform.report_data, report_data));
  // There is no collateral for it.
  EXPECT_EQ(found.first(), "intel.revocation");
  const auto other = vector_file("tdx/v4-uptodate-quote.bin");
  EXPECT_TRUE(outcomes(other, log, "2025-07-01T00:00:00Z")
                  .check("intel.event_log")
                  .actual.contains("the log does not match"));
}

TEST_F(Vectors, what_is_no_quote_is_refused_for_its_form) {
  for (const auto* name :
       {"tdx/tdreport-bad-type.bin", "tdx/ccel-log.dat", "tdx/root-crl-2023-04.der"})
    EXPECT_EQ(outcomes(vector_file(name), {}, "2025-07-01T00:00:00Z").first(), "intel.form");
}

TEST_F(Vectors, sgx_version_3_needs_a_rule_for_its_status) {
  const auto quote = vector_file("sgx/v3-quote.bin");
  const Collateral collateral = vector_collateral({"sgx/v3-collateral.json"});
  Rules rules;
  rules.tcb_statuses.emplace_back("ConfigurationAndSWHardeningNeeded");
  for (const auto* time : {"2025-06-19T10:56:11Z", "2025-07-19T10:01:18Z"}) {
    const Outcomes found = outcomes(quote, collateral, time);
    found.expect_sound();
    EXPECT_EQ(found.first(), "intel.tcb_status") << text_of(found.verdict);
    EXPECT_EQ(found.platform.tcb.status, "ConfigurationAndSWHardeningNeeded");
    EXPECT_EQ(found.platform.tcb.advisories,
              (std::vector<std::string>{"INTEL-SA-00289", "INTEL-SA-00615"}));
    EXPECT_FALSE(found.platform.debug);
    EXPECT_EQ(outcomes(quote, collateral, time, rules).first(), "");
  }
  EXPECT_EQ(outcomes(quote, collateral, "2025-06-19T10:56:10Z", rules).first(), "intel.tcb_time");
  EXPECT_EQ(outcomes(quote, collateral, "2025-07-19T10:01:19Z", rules).first(), "intel.qe_time");
  // Lists of the other CA say nothing of this platform.
  const Outcomes tdx = outcomes(quote, vector_collateral({"tdx/v4-uptodate-collateral.json"}),
                                "2025-07-01T00:00:00Z", rules);
  EXPECT_EQ(tdx.first(), "intel.revocation");
  EXPECT_EQ(tdx.check("intel.tcb_info").outcome, Outcome::kFailed);
}

TEST_F(Vectors, the_root_of_this_build_is_intel_s) {
  for (const auto* name : {"tdx/intel-sgx-root-ca.pem", "sgx/intel-sgx-root-ca.der"}) {
    const Collateral root = vector_collateral({name});
    ASSERT_EQ(root.certificates().size(), 1u);
    EXPECT_EQ(sha384(root.certificates().front().key()), kRootKeyHash);
  }
}

Outcomes certificate_outcomes(std::string_view name, std::string_view time,
                              const Rules& rules = {}) {
  const Collateral folder = vector_collateral({name});
  Outcomes found;
  Checks checks(found.verdict);
  EXPECT_TRUE(carries_quote(folder.certificates().front()));
  found.platform =
      appraise_certificate(folder.certificates().front(), rules, {}, *time_of(time), checks);
  return found;
}

TEST_F(Vectors, ra_tls_certificates_of_others_are_bound_to_their_keys_and_of_debug_enclaves) {
  for (const auto* name :
       {"ra-tls/gramine-cert.pem", "ra-tls/intel-sgxsdk-cert.pem", "ra-tls/rats-tls-cert.pem"}) {
    const Outcomes found = certificate_outcomes(name, "2024-01-15T00:00:00Z");
    found.expect_sound();
    EXPECT_EQ(found.first(), "intel.debug") << name << text_of(found.verdict);
    EXPECT_TRUE(found.platform.debug);
    for (const auto* code :
         {"ratls.validity", "ratls.self_signed", "ratls.claims", "ratls.key", "ratls.report_data"})
      EXPECT_EQ(found.check(code).outcome, Outcome::kPassed) << name << code;
    Rules rules;
    rules.insecure_allow_debug = true;
    EXPECT_EQ(certificate_outcomes(name, "2024-01-15T00:00:00Z", rules).first(),
              "intel.revocation");
  }
  EXPECT_EQ(certificate_outcomes("ra-tls/rats-tls-cert.pem", "2024-02-23T00:00:00Z").first(),
            "ratls.validity");
  // Gramine's carries a second quote in the form that it had before.
  const Outcomes two = certificate_outcomes("ra-tls/gramine-cert.pem", "2024-01-15T00:00:00Z");
  EXPECT_EQ(std::ranges::count(two.verdict.checks, "ratls.report_data", &Check::code), 2);
}

TEST_F(Vectors, with_any_byte_at_all_changed_are_judged_without_falling_over) {
  const auto quote = vector_file("tdx/v5-quote.dat");
  const Collateral collateral = vector_collateral({"tdx/v5-no-level-collateral.json"});
  const size_t step = std::getenv("CASEMATE_WHOLE") != nullptr ? 1 : 53;
  for (size_t i = 0; i < quote.size(); i += step) {
    std::vector<uint8_t> bent = quote;
    bent[i] = static_cast<uint8_t>(~bent[i]);
    EXPECT_FALSE(outcomes(bent, collateral, "2026-03-01T00:00:00Z").verdict.checks.empty());
    bent.resize(i);
    EXPECT_EQ(outcomes(bent, collateral, "2026-03-01T00:00:00Z").first(), "intel.form");
  }
}

}  // namespace
}  // namespace casemate::verify::intel
