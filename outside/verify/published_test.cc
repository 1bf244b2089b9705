// SPDX-License-Identifier: Apache-2.0
// Every file of evidence and collateral that others published: it is the one that its index names,
// and where it is valid, it is refused with any byte that is signed changed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "base/format.h"
#include "outside/verify/cca/anchors.h"
#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/tcb.h"
#include "outside/verify/platform_evidence.h"
#include "outside/verify/snp/id_block.h"
#include "outside/verify/snp/roots.h"
#include "outside/verify/testing/vectors.h"
#include "outside/verify/x509/chain.h"

namespace casemate::verify {
namespace {

using testing::vector_file;
using testing::vector_step;
using Blob = std::vector<uint8_t>;

constexpr std::string_view kIdBlockOfTheIndex =
    "oU1jg0HlZ0Yo/h4C++3r5eWrT68d1y2JZgaOYVu5nv0T0hSzXCMXFbOOJj3GBZdFAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAABAAAAAAAAAAAAAwAAAAAA";

// How many bytes of a certificate or a list, and of a statement, which costs a whole appraisal,
// stand for one that is tried; each of evidence is. With CASEMATE_WHOLE all are.
constexpr size_t kStepOfCertificates = 7;
constexpr size_t kStepOfStatements = 97;

struct Range {
  size_t begin = 0;
  size_t end = 0;
};

// Bytes that are good, and which of them are signed.
struct Part {
  std::string what;
  Blob bytes;
  std::vector<Range> ranges;
  size_t step = 1;
  bool text = false;  // of hexadecimal, base64 or JSON: another character, and lines may end
  std::function<bool(Bytes)> good;
};

Blob bent_at(const Part& part, size_t at) {
  Blob bent = part.bytes;
  if (part.text)
    bent[at] = bent[at] == '7' ? '8' : '7';
  else
    bent[at] = static_cast<uint8_t>(bent[at] ^ 1 << at % 8);
  return bent;
}

void refuses_changes(const Part& part) {
  ASSERT_TRUE(part.good(part.bytes)) << part.what;
  size_t tried = 0;
  for (const Range& range : part.ranges) {
    ASSERT_LT(range.begin, range.end) << part.what;
    ASSERT_LE(range.end, part.bytes.size()) << part.what;
    for (size_t at = range.begin; at < range.end; at += vector_step(part.step)) {
      if (part.text && part.bytes[at] == '\n') continue;
      EXPECT_FALSE(part.good(bent_at(part, at))) << part.what << ", byte " << at;
      ++tried;
    }
  }
  EXPECT_GT(tried, 0u) << part.what;
}

Collateral collateral_of(const std::vector<std::string_view>& files) {
  Collateral collateral;
  for (const std::string_view file : files) {
    const Status added = collateral.add(std::string(file), vector_file(file));
    EXPECT_TRUE(added) << file;
  }
  return collateral;
}

// Whose platforms are no longer, or not yet, what a policy would ask for by default.
Policy lenient() {
  Policy policy;
  policy.intel.trailing = intel::Trailing::kAny;
  policy.intel.tcb_statuses.emplace_back("ConfigurationAndSWHardeningNeeded");
  policy.intel.insecure_allow_debug = true;
  policy.snp.insecure_allow_debug = true;
  return policy;
}

// Whether evidence passes, or, of what does not pass as it is, the check `code` does.
bool judged_good(Bytes evidence, const Collateral& collateral, const Policy& policy,
                 std::string_view time, std::string_view code) {
  const Verdict verdict = verify_platform(evidence, {}, policy, collateral, *intel::time_of(time));
  if (code.empty()) return verdict.passed;
  const auto check = std::ranges::find(verdict.checks, code, &Check::code);
  return check != verdict.checks.end() && check->outcome == Outcome::kPassed;
}

// An Intel quote: all up to the quoting enclave's data, and the certificates that come with it.
// `code` as above.
std::vector<Part> quote(std::string_view file, std::vector<std::string_view> collateral,
                        std::string_view time, std::string_view code) {
  const Blob bytes = evidence_in(vector_file(file));
  const std::string_view text = casemate::text_of(bytes);
  const auto good = [=, known = collateral_of(collateral)](Bytes bent) {
    return judged_good(bent, known, lenient(), time, code);
  };
  // Behind the data are a kind and a size of what follows, the certificates.
  const size_t chain = text.find("-----BEGIN") - 6;
  std::vector<Part> parts = {{formatted("{}", file), bytes, {{0, chain}}, 1, false, good}};
  // Without collateral, in which each might be found as it was.
  Part certificates{
      formatted("certificates of {}", file), bytes, {}, kStepOfCertificates, true, [=](Bytes bent) {
        return judged_good(bent, {}, lenient(), time, "intel.chain");
      }};
  for (size_t at = chain; (at = text.find("-----BEGIN CERTIFICATE-----\n", at)) != text.npos;) {
    at += std::string_view("-----BEGIN CERTIFICATE-----\n").size();
    // But for the padding.
    certificates.ranges.push_back({at, text.find("\n-----END", at) - 4});
  }
  EXPECT_EQ(certificates.ranges.size(), 3u) << file;
  parts.push_back(std::move(certificates));
  return parts;
}

// The same of a file in hexadecimal, and its text.
std::vector<Part> quote_in_hex(std::string_view file) {
  constexpr auto* kTime = "2025-07-01T00:00:00Z";
  std::vector<Part> parts = quote(file, {}, kTime, "intel.chain");
  const size_t digits = 2 * parts[0].ranges[0].end;
  parts.push_back({formatted("text of {}", file),
                   vector_file(file),
                   {{2, digits}},
                   kStepOfStatements,
                   true,
                   [](Bytes bent) {
                     return judged_good(evidence_in(bent), {}, lenient(), kTime, "intel.chain");
                   }});
  return parts;
}

std::vector<Part> ra_tls(std::string_view file) {
  const auto all = certificates_in_pem(casemate::text_of(vector_file(file)));
  const Blob der = all->front().der();
  return {
      {formatted("{}", file), der, {{0, der.size()}}, kStepOfCertificates, false, [](Bytes bent) {
         return judged_good(bent, {}, lenient(), "2024-01-15T00:00:00Z", "intel.chain");
       }}};
}

std::vector<Part> snp_report(std::string_view file, std::string_view vcek) {
  const Blob bytes = evidence_in(vector_file(file));
  return {{formatted("{}", file),
           bytes,
           {{0, bytes.size()}},
           1,
           false,
           [known = collateral_of({vcek, "snp/ask-ark-milan.pem"})](Bytes bent) {
             return judged_good(bent, known, lenient(), "2024-07-03T00:00:00Z", "");
           }}};
}

std::vector<Part> cca_token(std::string_view file, std::string_view key) {
  const Blob bytes = vector_file(file);
  Policy policy;
  const Collateral known = collateral_of({key});
  const auto json = parse_json(casemate::text_of(known.documents()[0].content), key);
  for (const cca::Anchor& anchor : cca::anchors_in(*json))
    if (anchor.key) policy.cca.anchors.push_back(sha384(*anchor.key));
  return {{formatted("{}", file), bytes, {{0, bytes.size()}}, 1, false, [=](Bytes bent) {
             return judged_good(bent, known, policy, "2026-03-01T00:00:00Z", "");
           }}};
}

std::vector<Sha384Digest> all_roots() {
  std::vector<Sha384Digest> keys = {intel::kRootKeyHash};
  for (const snp::Root& root : snp::vendor_roots()) keys.push_back(root.key);
  return keys;
}

// Each certificate of a file, which has a chain to a root of this build over those of `issuers`.
std::vector<Part> certificates(std::string_view file, std::vector<std::string_view> issuers) {
  const Collateral own = collateral_of({file});
  const Collateral above = collateral_of(issuers);
  std::vector<Part> parts;
  for (size_t i = 0; i < own.certificates().size(); ++i) {
    const Blob der = own.certificates()[i].der();
    parts.push_back(
        {formatted("certificate {} of {}", i, file),
         der,
         {{0, der.size()}},
         kStepOfCertificates,
         false,
         [=](Bytes bent) {
           const auto read = X509Certificate::from_der(bent);
           if (!read) return false;
           std::vector<X509Certificate> all(own.certificates().begin(), own.certificates().end());
           all[i] = *read;
           all.insert(all.end(), above.certificates().begin(), above.certificates().end());
           // The first is the one that leads to all others.
           return chain_of(all[0], all, {.anchors = all_roots()}).has_value();
         }});
  }
  return parts;
}

// A list of revoked ones: certificate `issuer` of the quote's is whose it is.
std::vector<Part> list(std::string_view file, size_t issuer) {
  const Blob quote = vector_file("tdx/v4-trailing-text-quote.dat");
  const std::string_view text = casemate::text_of(quote);
  const auto chain = certificates_in_pem(text.substr(text.find("-----BEGIN")));
  const Chain two(chain->begin() + static_cast<ptrdiff_t>(issuer) - 1,
                  chain->begin() + static_cast<ptrdiff_t>(issuer) + 1);
  const Blob der = vector_file(file);
  return {{formatted("{}", file),
           der,
           {{0, der.size()}},
           kStepOfCertificates,
           false,
           [two](Bytes bent) {
             const auto crl = X509Crl::from_der(bent);
             return crl && check_revocation(two, std::vector{*crl},
                                            *intel::time_of("2023-06-20T00:00:00Z"),
                                            Revocation::kMustBeShown)
                               .has_value();
           }}};
}

// The value of `key`, a string, in a text of JSON.
Range string_in(std::string_view json, std::string_view key) {
  const std::string name = formatted("\"{}\":", key);
  const size_t begin = json.find('"', json.find(name) + name.size()) + 1;
  size_t end = begin;
  while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
  return {begin, end};
}

// Intel's statements, as quote libraries and Intel's service write them, with a quote that they
// count for.
std::vector<Part> statements(std::string_view file, std::string_view quote,
                             std::vector<std::string_view> others, std::string_view time,
                             std::string_view code) {
  Part part{formatted("{}", file), vector_file(file), {}, kStepOfStatements, true, {}};
  const std::string_view text = casemate::text_of(part.bytes);
  for (const auto* key : {"tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature",
                          "root_ca_crl", "pck_crl", "signature"}) {
    if (text.contains(formatted("\"{}\":", key))) part.ranges.push_back(string_in(text, key));
  }
  for (const std::string_view key : {"\"tcbInfo\":", "\"enclaveIdentity\":"}) {
    if (const size_t at = text.find(key); at != text.npos)
      part.ranges.push_back({at + key.size(), text.rfind(",\"signature\"")});
  }
  part.good = [=, evidence = evidence_in(vector_file(quote)),
               known = collateral_of(others)](Bytes bent) {
    Collateral all = known;
    return all.add("bent", bent).has_value() && judged_good(evidence, all, lenient(), time, code);
  };
  return {std::move(part)};
}

std::vector<Part> id_authentication() {
  const auto block = snp::id_block_in(bytes_of(kIdBlockOfTheIndex));
  const Blob authentication = vector_file("snp/id-auth-block.bin");
  // Kind of key; its signature over the block; the key, which the author signs; his signature, and
  // his key.
  return {{"the ID block",
           {bytes_of(*block).begin(), bytes_of(*block).end()},
           {{0, sizeof *block}},
           1,
           false,
           [=](Bytes bent) {
             return snp::check_id_block(load<snp::IdBlock>(bent), authentication).has_value();
           }},
          {"snp/id-auth-block.bin",
           authentication,
           {{0, 1},
            {0x40, 0x40 + 144},
            {0x240, 0x240 + 0x404},
            {0x680, 0x680 + 144},
            {0x880, 0x880 + 148}},
           kStepOfCertificates,
           false,
           [=](Bytes bent) { return snp::check_id_block(*block, bent).has_value(); }}};
}

// One file, and how it is taken to pieces; or else why there is nothing in it to change.
struct Row {
  std::string_view file;
  std::function<std::vector<Part>()> parts;
  std::string_view why_not = "";
};

constexpr std::string_view kAnswer = "an input whose value another file or a test has";
constexpr std::string_view kRefused = "not valid as it is: the suites of its format refuse it";

const std::vector<Row>& rows() {
  static const std::string_view k2023 = "2023-06-20T00:00:00Z";
  static const std::string_view k2025 = "2025-07-01T00:00:00Z";
  static const std::string_view k2026 = "2026-03-01T00:00:00Z";
  static const std::vector<std::string_view> kOf2023 = {"tdx/pck-platform-crl-2023-06.der",
                                                        "tdx/root-crl-2023-04.der",
                                                        "tdx/v4-uptodate-collateral.json"};
  static const std::vector<Row> kRows = {
      {"tdx/v4-uptodate-quote.bin",
       [] {
         return quote("tdx/v4-uptodate-quote.bin", {"tdx/v4-uptodate-collateral.json"}, k2025, "");
       }},
      {"tdx/v5-quote.dat",
       [] { return quote("tdx/v5-quote.dat", {"tdx/v5-no-level-collateral.json"}, k2026, ""); }},
      {"tdx/v5-no-level-quote.bin",
       [] { return quote("tdx/v5-no-level-quote.bin", {}, k2026, "intel.chain"); }},
      {"tdx/v4-trailing-text-quote.dat",
       [] { return quote("tdx/v4-trailing-text-quote.dat", {}, k2023, "intel.chain"); }},
      {"tdx/v4-ccel-quote.dat",
       [] { return quote("tdx/v4-ccel-quote.dat", {}, k2025, "intel.chain"); }},
      {"tdx/v4-quote-plain.hex", [] { return quote_in_hex("tdx/v4-quote-plain.hex"); }},
      {"tdx/v4-quote-0x.hex", [] { return quote_in_hex("tdx/v4-quote-0x.hex"); }},
      {"sgx/v3-quote.bin",
       [] { return quote("sgx/v3-quote.bin", {"sgx/v3-collateral.json"}, k2025, ""); }},
      {"ra-tls/gramine-cert.pem", [] { return ra_tls("ra-tls/gramine-cert.pem"); }},
      {"ra-tls/intel-sgxsdk-cert.pem", [] { return ra_tls("ra-tls/intel-sgxsdk-cert.pem"); }},
      {"ra-tls/rats-tls-cert.pem", [] { return ra_tls("ra-tls/rats-tls-cert.pem"); }},
      {"snp/milan-v2-report.hex",
       [] { return snp_report("snp/milan-v2-report.hex", "snp/milan-v2-vcek.der"); }},
      {"snp/milan-v2-debug-report.bin",
       [] { return snp_report("snp/milan-v2-debug-report.bin", "snp/milan-v2-debug-vcek.der"); }},
      {"cca/cca-token-01.cbor", [] { return cca_token("cca/cca-token-01.cbor", "cca/cpak.json"); }},
      {"cca/cca-token-02.cbor",
       [] { return cca_token("cca/cca-token-02.cbor", "cca/ta-02-ok.json"); }},
      {"cca/cca-token-draft-ffm-00.cbor",
       [] { return cca_token("cca/cca-token-draft-ffm-00.cbor", "cca/ta-tfa.json"); }},

      {"snp/milan-v2-vcek.der",
       [] { return certificates("snp/milan-v2-vcek.der", {"snp/ask-ark-milan.pem"}); }},
      {"snp/milan-v2-debug-vcek.der",
       [] { return certificates("snp/milan-v2-debug-vcek.der", {"snp/ask-ark-milan.pem"}); }},
      {"snp/turin-vcek.der",
       [] { return certificates("snp/turin-vcek.der", {"snp/ask-ark-turin.pem"}); }},
      {"snp/ask-ark-milan.pem", [] { return certificates("snp/ask-ark-milan.pem", {}); }},
      {"snp/ask-ark-genoa.pem", [] { return certificates("snp/ask-ark-genoa.pem", {}); }},
      {"snp/ask-ark-turin.pem", [] { return certificates("snp/ask-ark-turin.pem", {}); }},
      {"snp/asvk-ark-milan.pem", [] { return certificates("snp/asvk-ark-milan.pem", {}); }},
      {"snp/asvk-ark-genoa.pem", [] { return certificates("snp/asvk-ark-genoa.pem", {}); }},
      {"snp/asvk-ark-turin.pem", [] { return certificates("snp/asvk-ark-turin.pem", {}); }},
      {"sgx/intel-sgx-root-ca.der", [] { return certificates("sgx/intel-sgx-root-ca.der", {}); }},
      {"tdx/intel-sgx-root-ca.pem", [] { return certificates("tdx/intel-sgx-root-ca.pem", {}); }},
      {"tdx/pck-platform-crl-2023-06.der",
       [] { return list("tdx/pck-platform-crl-2023-06.der", 1); }},
      {"tdx/root-crl-2023-04.der", [] { return list("tdx/root-crl-2023-04.der", 2); }},
      {"snp/id-auth-block.bin", id_authentication},

      {"tdx/v4-uptodate-collateral.json",
       [] {
         return statements("tdx/v4-uptodate-collateral.json", "tdx/v4-uptodate-quote.bin", {},
                           k2025, "");
       }},
      {"tdx/v5-no-level-collateral.json",
       [] {
         return statements("tdx/v5-no-level-collateral.json", "tdx/v5-quote.dat", {}, k2026, "");
       }},
      {"sgx/v3-collateral.json",
       [] { return statements("sgx/v3-collateral.json", "sgx/v3-quote.bin", {}, k2025, ""); }},
      {"tdx/tcb-info-90c06f-2026-02.json",
       [] {  // what is in force then, and of the other nothing is
         return statements("tdx/tcb-info-90c06f-2026-02.json", "tdx/v5-quote.dat",
                           {"tdx/v5-no-level-collateral.json"}, "2026-02-10T00:00:00Z",
                           "intel.tcb_time");
       }},
      {"tdx/tcb-info-50806f-2023-06.json",
       [] {
         return statements("tdx/tcb-info-50806f-2023-06.json", "tdx/v4-trailing-text-quote.dat",
                           kOf2023, k2023, "intel.tcb_info");
       }},
      {"tdx/td-qe-identity-2023-06.json",
       [] {
         std::vector<std::string_view> others = kOf2023;
         others.emplace_back("tdx/tcb-info-50806f-2023-06.json");
         return statements("tdx/td-qe-identity-2023-06.json", "tdx/v4-trailing-text-quote.dat",
                           others, k2023, "intel.qe_time");
       }},

      {"tdx/ccel-log.dat", {}, "EventLog.of_a_real_guest_gives_its_registers_and_no_changed..."},
      {"tdx/ccel-acpi-table.dat", {}, "nobody signs it, and nothing is read from it"},
      {"tdx/ccel-report-data.dat", {}, kAnswer},
      {"tdx/tdreport-bad-type.bin", {}, kRefused},
      {"snp/ovmf-amdsev-suffix.bin", {}, kAnswer},
      {"snp/ovmf-ovmfx64-suffix.bin", {}, kAnswer},
      {"cca/bug-33-repro.cbor", {}, kRefused},
      {"cca/cpak.json", {}, kAnswer},
      {"cca/impl-id.bin", {}, kAnswer},
      {"cca/inst-id.bin", {}, kAnswer},
      {"cca/pkey.json", {}, kAnswer},
      {"cca/rv.json", {}, kAnswer},
      {"cca/ta.json", {}, kAnswer},
      {"cca/ta-02-bad.json", {}, kRefused},
      {"cca/ta-02-ok.json", {}, kAnswer},
      {"cca/ta-tfa.json", {}, kAnswer},
      {"cca/platform-claims.cbor", {}, "claims alone, which nobody signed"},
      {"cca/realm-claims.cbor", {}, "claims alone, which nobody signed"},
      {"cca/realm-claims+spurious-numeric-key.cbor", {}, "claims alone, which nobody signed"},
      {"cca/realm-claims+spurious-text-key.cbor", {}, "claims alone, which nobody signed"},
      {"cca/realm-claims-missing-challenge.cbor", {}, kRefused},
      {"cca/cca-token-01.diag", {}, "CcaDiagnostics"},
      {"cca/cca-token-02.diag", {}, "CcaDiagnostics"},
      {"cca/platform-claims.diag", {}, "CcaDiagnostics"},
      {"cca/realm-claims.diag", {}, "CcaDiagnostics"},
      {"cca/realm-claims+spurious-numeric-key.diag", {}, "CcaDiagnostics"},
      {"cca/realm-claims+spurious-text-key.diag", {}, "CcaDiagnostics"},
      {"cca/realm-claims-missing-challenge.diag", {}, "CcaDiagnostics"}};
  return kRows;
}

std::vector<Row> valid_rows() {
  std::vector<Row> valid;
  std::ranges::copy_if(rows(), std::back_inserter(valid),
                       [](const Row& row) { return row.parts != nullptr; });
  return valid;
}

TEST(Published, files_are_those_of_the_index_and_each_has_its_place_in_this_table) {
  NEEDS_VECTORS();
  std::set<std::string> there;
  for (const std::string& name : testing::vector_names()) {
    if (!name.ends_with(".md") && name != "SHA256SUMS") there.insert(name);
  }
  std::set<std::string> summed;
  const Blob sums = vector_file("SHA256SUMS");
  std::string_view rest = casemate::text_of(sums);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ASSERT_GT(line.size(), 66u) << line;
    const std::string name(line.substr(66));
    EXPECT_TRUE(summed.insert(name).second) << name;
    ASSERT_TRUE(there.contains(name)) << name << " is missing";
    EXPECT_EQ(to_hex(sha256(vector_file(name))), line.substr(0, 64)) << name << " was changed";
  }
  EXPECT_EQ(there, summed);
  std::set<std::string> named;
  for (const Row& row : rows()) {
    EXPECT_TRUE(named.insert(std::string(row.file)).second) << row.file << " is there twice";
    EXPECT_NE(row.parts == nullptr, row.why_not.empty()) << row.file;
  }
  EXPECT_EQ(there, named) << "a file without a row, or a row without a file";
}

class PublishedVector : public ::testing::TestWithParam<Row> {};

TEST_P(PublishedVector, is_good_as_it_is_and_refused_with_a_signed_byte_changed) {
  NEEDS_VECTORS();
  const std::vector<Part> parts = GetParam().parts();
  ASSERT_FALSE(parts.empty());
  for (const Part& part : parts) refuses_changes(part);
}

INSTANTIATE_TEST_SUITE_P(Each, PublishedVector, ::testing::ValuesIn(valid_rows()),
                         [](const auto& one) {
                           std::string name(one.param.file);
                           for (char& letter : name)
                             if (std::isalnum(static_cast<unsigned char>(letter)) == 0)
                               letter = '_';
                           return name;
                         });

}  // namespace
}  // namespace casemate::verify
