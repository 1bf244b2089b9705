// SPDX-License-Identifier: Apache-2.0
// The first half of an appraisal: who signed, and what is measured.
#include "outside/verify/intel/appraisal.h"

#include <algorithm>

#include "base/format.h"
#include "outside/verify/event_log/event_log.h"
#include "outside/verify/intel/codes.h"
#include "outside/verify/intel/rtmr.h"

namespace casemate::verify::intel {
namespace {

Finding when(const Status& status, std::string expected) {
  if (status) return {.good = true, .expected = std::move(expected)};
  return {.expected = std::move(expected), .actual = status.error().text};
}

std::vector<uint8_t> copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// Names in Intel's certificates are one component each, and Intel alone writes them.
bool named(const X509Certificate& certificate, std::string_view common_name) {
  return formatted(",{},", certificate.subject()).contains(formatted(",CN={},", common_name));
}

std::vector<Measurement> measurements_of(const Quote& quote) {
  if (!quote.td) {
    const SgxReport& report = quote.enclave;
    return {{"mrenclave", copy_of(report.mrenclave)},
            {"mrsigner", copy_of(report.mrsigner)},
            {"attributes", copy_of(report.attributes)}};
  }
  const TdReport& report = quote.guest;
  std::vector<Measurement> list = {{"mrtd", copy_of(report.mrtd)}};
  for (size_t i = 0; i < report.rtmr.size(); ++i)
    list.push_back({formatted("rtmr{}", i), copy_of(report.rtmr[i])});
  list.push_back({"mrconfigid", copy_of(report.mrconfigid)});
  list.push_back({"mrowner", copy_of(report.mrowner)});
  list.push_back({"mrownerconfig", copy_of(report.mrownerconfig)});
  if (report.tdx15) list.push_back({"mrservicetd", copy_of(report.mrservicetd)});
  list.push_back({"mrseam", copy_of(report.mrseam)});
  list.push_back({"mrsignerseam", copy_of(report.mrsignerseam)});
  list.push_back({"td_attributes", copy_of(bytes_of(report.attributes))});
  list.push_back({"xfam", copy_of(bytes_of(report.xfam))});
  return list;
}

Status check_p256(const ByteArray<64>& key, Bytes message, const ByteArray<64>& signature) {
  const Bytes point(key);
  const auto spki = TRY(key_of_point("P-256", point.first(32), point.subspan(32)));
  return check_signature(spki, "SHA256", message, signature, true);
}

}  // namespace

Platform Appraisal::run() && {
  checks_.require(code::kForm, "", [&] {
    auto read = read_quote(bytes_);
    if (!read) return when(read.error(), "a quote of version 3, 4 or 5");
    quote_ = *read;
    fill_platform();
    return Finding{.good = true};
  });
  checks_.judge(code::kTrailing, "", [&] { return trailing(); });
  check_signatures();
  check_chain();
  judge_body();
  check_statements();
  check_levels();
  judge_status();
  judge_signers();
  return std::move(platform_);
}

void Appraisal::fill_platform() {
  platform_.root = quote_.td ? "tdx" : "sgx";
  platform_.report_data = quote_.td ? quote_.guest.report_data : quote_.enclave.report_data;
  platform_.measurements = measurements_of(quote_);
  platform_.digest = digest_of(platform_.root, platform_.measurements);
  // A guest's own version is none of the module's business; its measurements name it.
  platform_.security_version = quote_.td ? 0 : quote_.enclave.security_version;
  platform_.debug = quote_.td
                        ? (quote_.guest.attributes & TdReport::kDebug) != 0
                        : (load<uint64_t>(quote_.enclave.attributes) & SgxReport::kDebug) != 0;
}

Finding Appraisal::trailing() const {
  const Bytes rest = quote_.left_over;
  const bool zeros = std::ranges::all_of(rest, [](uint8_t byte) { return byte == 0; });
  const bool good = rest.empty() || rules_.trailing == Trailing::kAny ||
                    (zeros && rules_.trailing == Trailing::kZeros);
  return {.good = good && rest.empty(),
          .expected = rules_.trailing == Trailing::kNone ? "nothing" : "nothing, or zeros",
          .actual = rest.empty() ? "nothing"
                                 : formatted("{} bytes{} that nothing vouches for", rest.size(),
                                             zeros ? ", all zero," : ""),
          .allowed = good};
}

void Appraisal::check_signatures() {
  checks_.require(code::kSignature, "", [&] {
    return when(check_p256(quote_.key, quote_.signed_bytes, quote_.signature),
                "a signature by the quote's own key");
  });
  checks_.require(code::kKeyBinding, "", [&] {
    std::vector<uint8_t> bound = copy_of(quote_.key);
    bound.insert(bound.end(), quote_.qe_data.begin(), quote_.qe_data.end());
    const Sha256Digest wanted = sha256(bound);
    const Bytes actual = Bytes(quote_.qe_report.report_data).first(wanted.size());
    return Finding{std::ranges::equal(wanted, actual), to_hex(wanted), to_hex(actual)};
  });
  checks_.require(code::kPck, "", [&] {
    auto certificates = certificates_in_pem(casemate::text_of(quote_.chain));
    if (!certificates) return when(certificates.error(), "certificates in PEM form");
    certificates_ = *std::move(certificates);
    if (certificates_.empty()) return Finding{false, "a certificate", "none"};
    const auto pck = read_pck(certificates_.front());
    if (pck) pck_ = *pck;
    return when(pck ? Status() : Status(pck.error()), "a certificate of a platform's key");
  });
  checks_.require(code::kQeSignature, "", [&] {
    return when(check_signature(certificates_.front().key(), "SHA256", quote_.qe_report_bytes,
                                quote_.qe_signature, true),
                formatted("a signature by {}", certificates_.front().subject()));
  });
}

ChainRules Appraisal::chain_rules() const {
  ChainRules rules;
  rules.anchors = rules_.development_roots;
  rules.anchors.push_back(kRootKeyHash);
  return rules;
}

Finding Appraisal::chain_to_root() {
  statements_ = statements_of(collateral_);
  // A root that only the quote brings along serves the collateral too.
  statements_.certificates.insert(statements_.certificates.end(), certificates_.begin(),
                                  certificates_.end());
  auto chain = chain_of(certificates_.front(), statements_.certificates, chain_rules());
  if (!chain) return when(chain.error(), "a chain to the Intel SGX Root CA");
  chain_ = *std::move(chain);
  platform_.root_key = chain_.back().key();
  platform_.development = sha384(platform_.root_key) != kRootKeyHash;
  const bool roles = chain_.size() == 3 && named(chain_[0], "Intel SGX PCK Certificate") &&
                     (named(chain_[1], "Intel SGX PCK Platform CA") ||
                      named(chain_[1], "Intel SGX PCK Processor CA"));
  return {roles, "a PCK certificate by the Platform or the Processor CA, and the root",
          formatted("{} certificates, of {} by {}", chain_.size(), chain_.front().subject(),
                    chain_[std::min<size_t>(1, chain_.size() - 1)].subject())};
}

void Appraisal::check_chain() {
  checks_.require(code::kChain, "", [&] { return chain_to_root(); });
  checks_.judge(code::kValidity, "", [&] {
    return when(check_validity(chain_, now_), "certificates that are valid now");
  });
}

void Appraisal::judge_body() {
  checks_.judge(code::kDebug, "", [&] {
    return Finding{!platform_.debug, "no debug flag", platform_.debug ? "the debug flag" : "",
                   rules_.insecure_allow_debug};
  });
  judge_measurements();
  if (rules_.product_id) {
    checks_.judge(code::kProduct, "", [&] {
      if (quote_.td) return Finding{false, "an enclave's product", "a TDX guest, which has none"};
      return Finding{quote_.enclave.product_id == *rules_.product_id,
                     formatted("{}", *rules_.product_id),
                     formatted("{}", quote_.enclave.product_id)};
    });
  }
  if (rules_.security_version_min > 0) {
    checks_.judge(code::kSecurityVersion, "", [&] {
      if (quote_.td) return Finding{false, "an enclave's version", "a TDX guest, which has none"};
      return Finding{quote_.enclave.security_version >= rules_.security_version_min,
                     formatted("{} or higher", rules_.security_version_min),
                     formatted("{}", quote_.enclave.security_version)};
    });
  }
  if (quote_.td) checks_.judge(code::kEventLog, "", [&] { return event_log(); });
}

void Appraisal::judge_measurements() {
  for (const auto& [name, accepted] : rules_.measurements) {
    checks_.judge(code::kMeasurement, name, [&] {
      std::string wanted = to_hex(accepted.front());
      if (accepted.size() > 1) wanted += formatted(" or {} others", accepted.size() - 1);
      const auto found = std::ranges::find(platform_.measurements, name, &Measurement::name);
      if (found == platform_.measurements.end())
        return Finding{false, wanted, formatted("none: {} has no {}", platform_.root, name)};
      return Finding{std::ranges::contains(accepted, found->value), wanted, to_hex(found->value)};
    });
  }
}

Finding Appraisal::event_log() const {
  Finding finding{.expected = "a log whose replay gives RTMR0 to RTMR3",
                  .actual = "no log among the collateral",
                  .allowed = !rules_.event_log_required};
  for (const Collateral::File& file : collateral_.others()) {
    if (!EventLog::looks_like(file.content)) continue;
    finding.allowed = false;
    const auto replayed = replay(file.content);
    if (!replayed) {
      finding.actual = replayed.error().text;
      continue;
    }
    const auto [log, quote] = std::ranges::mismatch(replayed->rtmr, quote_.guest.rtmr);
    if (log == replayed->rtmr.end()) {
      return {.good = true,
              .expected = finding.expected,
              .actual = formatted("a log of {} events that does", replayed->events)};
    }
    const size_t index = static_cast<size_t>(log - replayed->rtmr.begin());
    finding.expected = formatted("RTMR{} = {}, which was quoted", index, to_hex(*quote));
    finding.actual = formatted("{} by the log of {} events: the log does not match", to_hex(*log),
                               replayed->events);
  }
  return finding;
}

Platform appraise(Bytes quote, const Rules& rules, const Collateral& collateral, int64_t now_unix,
                  Checks& checks) {
  return Appraisal(quote, rules, collateral, now_unix, checks).run();
}

}  // namespace casemate::verify::intel
