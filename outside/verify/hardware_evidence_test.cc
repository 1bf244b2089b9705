// SPDX-License-Identifier: Apache-2.0
// Our own evidence, rooted in each kind of hardware: quote, claims and tokens, whole and bent. What
// the readers of the formats ask of a report by itself is tested beside them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "outside/verify/cca/testing/realm.h"
#include "outside/verify/codes.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/snp/testing/reporter.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/verify.h"

namespace casemate::verify {
namespace {

using intel::testing::Kind;
using intel::testing::TestPlatform;
using Blob = std::vector<uint8_t>;

// What a machine hands out, and the policy of who knows it.
struct Shown {
  Blob report;
  Blob auxiliary{};
  Policy policy{};
};

struct Hardware {
  const char* label;
  RootKind root;
  std::string_view provider;
  std::string_view verdict_root;
  std::string_view debug_code;  // of the check by which its reader sees a debugger
  Shown (*make)(const ByteArray<64>& report_data, bool debug);
};
void PrintTo(const Hardware& hardware, std::ostream* out) { *out << hardware.label; }

Shown snp_report(const ByteArray<64>& report_data, bool debug, bool table) {
  snp::testing::Reporter made;
  made.report.report_data = report_data;
  if (debug) made.report.policy |= uint64_t{1} << 19;
  made.sign();
  Shown shown{.report = made.evidence()};
  shown.policy.allow_software_root = true;  // its root is none of AMD's
  shown.policy.snp = made.rules();
  shown.policy.snp.measurement = {
      Blob(made.report.measurement.begin(), made.report.measurement.end())};
  if (table)
    shown.auxiliary = snp::testing::table_of(made.certificates());
  else
    shown.policy.collateral = std::make_shared<Collateral>(made.collateral());
  return shown;
}

Shown intel_quote(Kind kind, const ByteArray<64>& report_data, bool debug) {
  const bool enclave = kind == Kind::kSgx3 || kind == Kind::kSgx5;
  TestPlatform made(kind);
  made.set(enclave ? 320 : 520, report_data);
  if (debug) made.set(enclave ? 48 : 120, ByteArray<1>{enclave ? uint8_t{2} : uint8_t{1}});
  Shown shown{.report = made.quote()};
  shown.policy.allow_software_root = true;
  shown.policy.intel = made.rules();
  shown.policy.collateral = std::make_shared<Collateral>(made.collateral());
  const auto pin = [&](const char* name, size_t at, size_t size) {
    const Bytes value = Bytes(made.body).subspan(at, size);
    shown.policy.intel.measurements[name] = {Blob(value.begin(), value.end())};
  };
  if (enclave) {
    pin("mrenclave", 64, 32);
  } else {
    pin("mrtd", 136, 48);
    pin("rtmr1", 376, 48);
    pin("rtmr2", 424, 48);
  }
  return shown;
}

Shown cca_token(const ByteArray<64>& report_data, bool debug) {
  using cca::testing::Realm;
  Realm made;
  Realm::set(made.realm, 10, cca::testing::bytes_item(report_data));
  if (debug) Realm::set(made.platform, 2395, cca::testing::number_item(0x4000));
  Shown shown{.report = made.token()};
  shown.policy.cca = made.rules();
  shown.policy.cca.initial_measurement = {Blob(32, 0x88)};
  shown.policy.collateral = std::make_shared<Collateral>(made.collateral());
  return shown;
}

template <Kind kKind>
Shown intel_made(const ByteArray<64>& report_data, bool debug) {
  return intel_quote(kKind, report_data, debug);
}
template <bool kTable>
Shown snp_made(const ByteArray<64>& report_data, bool debug) {
  return snp_report(report_data, debug, kTable);
}

constexpr Hardware kSnp{"snp",     RootKind::kTsm, "sev_guest",
                        "sev-snp", "snp.debug",    snp_made<false>};
constexpr Hardware kSnpWithTable{"snp_with_table", RootKind::kTsm, "sev_guest",
                                 "sev-snp",        "snp.debug",    snp_made<true>};
constexpr Hardware kCca{"cca",     RootKind::kTsm,  "arm_cca_guest",
                        "arm-cca", "cca.lifecycle", cca_token};
constexpr std::array kHardware = {
    kSnp,
    kSnpWithTable,
    Hardware{"tdx4", RootKind::kTsm, "tdx_guest", "tdx", "intel.debug", intel_made<Kind::kTdx4>},
    Hardware{"tdx5", RootKind::kTsm, "tdx_guest", "tdx", "intel.debug", intel_made<Kind::kTdx5>},
    Hardware{"tdx15", RootKind::kTsm, "tdx_guest", "tdx", "intel.debug", intel_made<Kind::kTdx15>},
    kCca,
    Hardware{"sgx3", RootKind::kGramine, "dcap", "sgx", "intel.debug", intel_made<Kind::kSgx3>},
    Hardware{"sgx5", RootKind::kGramine, "dcap", "sgx", "intel.debug", intel_made<Kind::kSgx5>}};

// A server with a gateway and a model on such a machine, and its client.
class Server final {
 public:
  explicit Server(const Hardware& hardware, bool debug = false) : hardware_(hardware) {
    signer.add_model("digits");
    signer.sign();
    shown = hardware.make(report_data_of(signer.claims), debug);
  }
  // The quote of `report`, by another name perhaps.
  [[nodiscard]] Blob quote() const { return quote_by(hardware_.root, hardware_.provider); }
  [[nodiscard]] Blob quote_by(RootKind root, std::string_view provider,
                              const Blob& manifest = {}) const {
    return *encode_hardware_quote(root, provider, shown.report, shown.auxiliary, manifest);
  }
  [[nodiscard]] Verdict judge(Bytes quote) const { return judge(quote, shown.policy); }
  [[nodiscard]] Verdict judge(Bytes quote, const Policy& policy) const {
    return verify_evidence(encode_evidence(quote, signer.claims, signer.tokens),
                           {.tls_key = signer.tls.public_der(), .now_unix = testing::kNow}, policy);
  }

  testing::Signer signer;
  Shown shown;

 private:
  const Hardware& hardware_;
};

std::string first_failed(const Verdict& verdict) {
  const Check* failure = verdict.first_failure();
  if (failure == nullptr) return verdict.passed ? "passed" : "not passed, and nothing failed";
  EXPECT_FALSE(verdict.passed);
  return std::string(failure->code);
}

bool failed(const Verdict& verdict, std::string_view code) {
  return std::ranges::any_of(verdict.checks, [&](const Check& check) {
    return check.code == code && check.outcome == Outcome::kFailed;
  });
}

class HardwareEvidence : public ::testing::TestWithParam<Hardware> {};

TEST_P(HardwareEvidence, is_accepted_under_a_policy_that_fits) {
  const Server server(GetParam());
  const Verdict verdict = server.judge(server.quote());
  EXPECT_EQ(first_failed(verdict), "passed") << text_of(verdict);
  EXPECT_EQ(verdict.root, GetParam().verdict_root);
  EXPECT_EQ(verdict.tokens.size(), 2u);
  ASSERT_TRUE(verdict.quoted.has_value());
  EXPECT_EQ(verdict.quoted->report_data, report_data_of(server.signer.claims));
  for (const Check& check : verdict.checks) EXPECT_NE(check.outcome, Outcome::kNotRun);
  const auto kind = std::ranges::find(verdict.checks, code::kRootKind.code, &Check::code);
  ASSERT_NE(kind, verdict.checks.end());
  const bool made = kind->outcome == Outcome::kAllowed;  // a root of the test's own
  EXPECT_EQ(made, verdict.development_root);
  EXPECT_EQ(kind->actual, made ? "a development root, made in software" : GetParam().verdict_root);
  EXPECT_NE(first_failed(server.judge(server.quote(), Policy{})), "passed")
      << "nobody knows its keys by himself";
}

TEST_P(HardwareEvidence, is_refused_over_other_claims) {
  Server server(GetParam());
  const Server other(GetParam());
  const Blob claims = std::exchange(server.signer.claims, other.signer.claims);
  EXPECT_EQ(first_failed(server.judge(server.quote())), code::kReportData.code);
  server.signer.claims = claims;
  EXPECT_EQ(first_failed(server.judge(server.quote())), "passed");
  // A report that says more than the hash, though its root has signed that.
  for (const size_t at : {0u, 31u, 32u, 63u}) {
    ByteArray<64> bent = report_data_of(claims);
    bent[at] ^= 1;
    server.shown = GetParam().make(bent, false);
    EXPECT_EQ(first_failed(server.judge(server.quote())), code::kReportData.code) << at;
  }
}

TEST_P(HardwareEvidence, of_a_machine_with_a_debugger_is_refused_twice) {
  const Server server(GetParam(), true);
  const Blob quote = server.quote();
  const std::string_view own = GetParam().debug_code;
  const Verdict refused = server.judge(quote);
  EXPECT_FALSE(refused.passed);
  EXPECT_TRUE(failed(refused, own) && failed(refused, code::kQuoteDebug.code)) << text_of(refused);
  Policy format = server.shown.policy;
  format.snp.insecure_allow_debug = true;
  format.intel.insecure_allow_debug = true;
  format.cca.insecure_allow_debug = true;
  EXPECT_EQ(first_failed(server.judge(quote, format)), code::kQuoteDebug.code);
  Policy whole = server.shown.policy;
  whole.insecure_allow_debug = true;
  EXPECT_EQ(first_failed(server.judge(quote, whole)), own);
  format.insecure_allow_debug = true;
  EXPECT_EQ(first_failed(server.judge(quote, format)), "passed");
}

TEST_P(HardwareEvidence, is_refused_by_any_other_name) {
  const Server server(GetParam());
  constexpr std::array<std::string_view, 4> kForms = {code::kQuoteForm.code, "snp.form",
                                                      "intel.form", "cca.form"};
  for (const RootKind root : {RootKind::kTsm, RootKind::kGramine}) {
    for (const std::string_view provider :
         {"sev_guest", "tdx_guest", "arm_cca_guest", "dcap", "SEV_GUEST", "sev_guest2", "none"}) {
      const std::string code = first_failed(server.judge(server.quote_by(root, provider)));
      if (root == GetParam().root && provider == GetParam().provider)
        EXPECT_EQ(code, "passed");
      else
        EXPECT_TRUE(std::ranges::contains(kForms, code)) << provider << ": " << code;
    }
  }
}

TEST_P(HardwareEvidence, is_refused_with_any_byte_of_its_head_changed) {
  const Server server(GetParam());
  const Blob good = server.quote();
  for (size_t at = 0; at < sizeof(HardwareQuote); ++at) {
    for (uint32_t change = 1; change < 256; ++change) {
      Blob bent = good;
      bent[at] = static_cast<uint8_t>(bent[at] ^ change);
      EXPECT_EQ(first_failed(server.judge(bent)), code::kQuoteForm.code) << at << " " << change;
    }
  }
}

TEST_P(HardwareEvidence, is_refused_with_any_byte_of_its_report_changed) {
  const Server server(GetParam());
  const Blob good = server.quote();
  // Certificates at the end of a quote of Intel's may come from elsewhere as well, and there is
  // text around them.
  const size_t chain = casemate::text_of(good).find("-----BEGIN CERTIFICATE");
  const size_t end = std::min(chain, sizeof(HardwareQuote) + server.shown.report.size());
  ASSERT_GT(end, sizeof(HardwareQuote) + 500);
  for (size_t at = sizeof(HardwareQuote); at < end; at += 3) {
    Blob bent = good;
    bent[at] = static_cast<uint8_t>(bent[at] ^ 1 << at % 8);
    EXPECT_FALSE(server.judge(bent).passed) << at - sizeof(HardwareQuote);
  }
}

TEST_P(HardwareEvidence, is_refused_with_more_or_less_than_the_report) {
  Server server(GetParam());
  const Blob report = server.shown.report;
  server.shown.report.pop_back();
  EXPECT_NE(first_failed(server.judge(server.quote())), "passed");
  server.shown.report = report;
  server.shown.report.push_back(1);
  EXPECT_NE(first_failed(server.judge(server.quote())), "passed");
  server.shown.report = report;
  EXPECT_EQ(first_failed(server.judge(server.quote())), "passed");
  EXPECT_EQ(first_failed(server.judge(
                server.quote_by(GetParam().root, GetParam().provider, Blob(4, uint8_t{1})))),
            code::kQuoteForm.code)
      << "a manifest that nobody reads";
  if (!server.shown.auxiliary.empty()) return;  // of a table the kernel gives a whole page
  server.shown.auxiliary.push_back(1);
  EXPECT_NE(first_failed(server.judge(server.quote())), "passed");
}

INSTANTIATE_TEST_SUITE_P(Each, HardwareEvidence, ::testing::ValuesIn(kHardware),
                         [](const auto& one) { return std::string(one.param.label); });

TEST(HardwareEvidenceOfSnp, is_refused_with_any_certificate_in_its_table_changed) {
  const Server server(kSnpWithTable);
  const Blob good = server.quote();
  constexpr size_t kEntry = 24;
  constexpr size_t kCertificates = 3;
  const size_t table = sizeof(HardwareQuote) + server.shown.report.size();
  ASSERT_GT(good.size(), table + kCertificates * 300);
  for (size_t at = 0; at < good.size() - table;) {
    // The names of the certificates' kinds mean nothing here: what each is it says by itself.
    if (at < kCertificates * kEntry && at % kEntry < 16) {
      ++at;
      continue;
    }
    Blob bent = good;
    bent[table + at] = static_cast<uint8_t>(bent[table + at] ^ 1 << at % 8);
    EXPECT_FALSE(server.judge(bent).passed) << at;
    at += at < (kCertificates + 1) * kEntry ? 1 : 7;
  }
}

TEST(HardwareEvidenceOfCca, is_refused_where_the_policy_names_no_start) {
  const Server server(kCca);
  Policy policy = server.shown.policy;
  policy.cca.initial_measurement.clear();
  EXPECT_EQ(first_failed(server.judge(server.quote(), policy)), code::kStart.code);
  policy.insecure_allow_any_start = true;
  EXPECT_EQ(first_failed(server.judge(server.quote(), policy)), "passed");
}

}  // namespace
}  // namespace casemate::verify
