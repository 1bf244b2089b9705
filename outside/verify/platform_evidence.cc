// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/platform_evidence.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "outside/verdict/checks.h"
#include "outside/verify/cca/cca.h"
#include "outside/verify/codes.h"
#include "outside/verify/ear/eat.h"
#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/ra_tls.h"
#include "outside/verify/nvidia/nvidia.h"
#include "outside/verify/snp/snp.h"
#include "outside/verify/start.h"

namespace casemate::verify {
namespace {

// What RA-TLS certificates carry fits into this many bytes, in PEM too.
constexpr size_t kCertificateFileBytes = 128 << 10;

std::optional<X509Certificate> quoting_certificate(Bytes evidence) {
  if (evidence.size() > kCertificateFileBytes) return std::nullopt;
  std::optional<X509Certificate> certificate;
  if (is_pem(evidence)) {
    if (const auto all = certificates_in_pem(casemate::text_of(evidence)); all && !all->empty())
      certificate = all->front();
  } else if (auto one = X509Certificate::from_der(evidence)) {
    certificate = *std::move(one);
  }
  if (!certificate || !intel::carries_quote(*certificate)) return std::nullopt;
  // Ours has tokens beside the quote, which verify_evidence() judges together.
  if (const auto tokens = certificate->extension(kTokensOid); !tokens || *tokens)
    return std::nullopt;
  return certificate;
}

struct Format {
  std::string_view name;
  bool (*looks)(Bytes evidence);
  Platform (*appraise)(Bytes evidence, const Policy& policy, const Collateral& collateral,
                       int64_t now_unix, Checks& checks);
};

constexpr std::array kFormats = {
    Format{"Intel quote", intel::looks_like_quote,
           [](Bytes evidence, const Policy& policy, const Collateral& collateral, int64_t now,
              Checks& checks) {
             return intel::appraise(evidence, policy.intel, collateral, now, checks);
           }},
    Format{"RA-TLS certificate with an Intel quote",
           [](Bytes evidence) { return quoting_certificate(evidence).has_value(); },
           [](Bytes evidence, const Policy& policy, const Collateral& collateral, int64_t now,
              Checks& checks) {
             return intel::appraise_certificate(*quoting_certificate(evidence), policy.intel,
                                                collateral, now, checks);
           }},
    Format{"SEV-SNP report", snp::looks_like,
           [](Bytes evidence, const Policy& policy, const Collateral& collateral, int64_t now,
              Checks& checks) {
             return snp::appraise(evidence, policy.snp, collateral, now, checks);
           }},
    Format{"Arm CCA token", cca::looks_like,
           [](Bytes evidence, const Policy& policy, const Collateral& collateral, int64_t now,
              Checks& checks) {
             return cca::appraise(evidence, policy.cca, collateral, now, checks);
           }},
    Format{"NVIDIA measurements", nvidia::looks_like,
           [](Bytes evidence, const Policy& policy, const Collateral& collateral, int64_t now,
              Checks& checks) {
             return nvidia::appraise(evidence, policy.nvidia, collateral, now, checks);
           }},
    Format{"attestation token", eat::looks_like,
           [](Bytes evidence, const Policy& policy, const Collateral& collateral, int64_t now,
              Checks& checks) {
             return eat::appraise(evidence, policy.eat, collateral, now, checks);
           }}};

const Format* format_of(Bytes evidence) {
  const auto found =
      std::ranges::find_if(kFormats, [&](const Format& format) { return format.looks(evidence); });
  return found == kFormats.end() ? nullptr : &*found;
}

std::string names_of_formats() {
  std::string names;
  for (const Format& format : kFormats)
    names += formatted("{}{}", names.empty() ? "" : ", ", format.name);
  return names;
}

Finding same_report_data(Bytes expected, const ByteArray<64>& actual) {
  if (expected.empty())
    return {.expected = "report data to compare", .actual = "none given", .allowed = true};
  ByteArray<64> wanted{};
  if (expected.size() > wanted.size())
    return {false, "at most 64 bytes", formatted("{} expected", expected.size())};
  std::ranges::copy(expected, wanted.begin());
  return {wanted == actual, to_hex(wanted), to_hex(actual)};
}

Finding pinned(const Accepted& accepted, const Sha384Digest& actual) {
  if (accepted.empty()) return {.expected = "a pinned value", .actual = "no pin", .allowed = true};
  if (std::ranges::contains(accepted, actual))
    return {.good = true, .expected = "a pinned value", .actual = to_hex(actual)};
  return {false, to_hex(accepted.front()), to_hex(actual)};
}

void judge_platform(const Platform& platform, Bytes expected, const Policy& policy,
                    Checks& checks) {
  checks.judge(code::kPlatformReportData, "",
               [&] { return same_report_data(expected, platform.report_data); });
  checks.judge(code::kRootKind, "", [&] {
    return Finding{!platform.development, "a hardware root",
                   std::string(platform.development ? "a root for development" : platform.root),
                   policy.allow_software_root};
  });
  checks.judge(code::kSecurityVersion, "", [&] {
    return Finding{platform.security_version >= policy.security_version_min,
                   formatted("{} or higher", policy.security_version_min),
                   formatted("{}", platform.security_version)};
  });
  checks.judge(code::kPlatform, "", [&] { return pinned(policy.platform, platform.digest); });
}

std::vector<std::string> weaknesses_of_platform(std::string_view root, const Policy& policy,
                                                Bytes expected) {
  std::vector<std::string> weak;
  if (policy.allow_software_root)
    weak.emplace_back("insecure_software_root: a development root is accepted");
  if (debug_is_allowed(root, policy))
    weak.emplace_back("insecure_debug: debug platforms and enclaves are accepted");
  if (policy.platform.empty() && !start_is_named(root, policy).good)
    weak.emplace_back("insecure_unpinned: any measurement is accepted");
  if (expected.empty()) weak.emplace_back("insecure_unbound: whom it was made for is not compared");
  return weak;
}

}  // namespace

std::vector<uint8_t> evidence_in(Bytes file) {
  std::string_view text = casemate::text_of(file);
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  text = text.substr(0, text.find_last_not_of(kSpace) + 1);
  if (text.starts_with("0x")) text.remove_prefix(2);
  if (!text.empty()) {
    if (auto bytes = from_hex(text)) return *std::move(bytes);
  }
  return {file.begin(), file.end()};
}

bool platform_evidence(Bytes evidence) { return format_of(evidence) != nullptr; }

Verdict verify_platform(Bytes evidence, Bytes expected_report_data, const Policy& policy,
                        const Collateral& collateral, int64_t now_unix) {
  Verdict verdict;
  verdict.evidence_hash = sha256(evidence);
  verdict.time_used_unix = now_unix;
  Checks checks(verdict);
  const Format* format = format_of(evidence);
  checks.require(code::kPlatformFormat, "", [&] {
    return Finding{format != nullptr, names_of_formats(),
                   format != nullptr
                       ? std::string(format->name)
                       : formatted("{} bytes that are none of these", evidence.size())};
  });
  Platform platform;
  if (format != nullptr)
    platform = format->appraise(evidence, policy, collateral, now_unix, checks);
  judge_platform(platform, expected_report_data, policy, checks);
  verdict.weakened = weaknesses_of_platform(platform.root, policy, expected_report_data);
  verdict.root = platform.root;
  verdict.development_root = platform.development;
  if (!platform.root_key.empty()) verdict.root_key_hash = sha384(platform.root_key);
  verdict.platform = platform.digest;
  verdict.security_version = platform.security_version;
  verdict.quote_issued_unix = platform.issued_unix.value_or(0);
  if (format != nullptr) verdict.quoted = std::move(platform);
  verdict.passed = std::ranges::all_of(verdict.checks, [](const Check& check) {
    return check.outcome == Outcome::kPassed || check.outcome == Outcome::kAllowed;
  });
  return verdict;
}

}  // namespace casemate::verify
