// SPDX-License-Identifier: Apache-2.0
#pragma once
// The codes of all checks, and the list in which a verification records them.
//
//   Owns     the list refers to the verdict that it fills.
//   Threads  one verification, one thread.
//   Trust    subjects and values are made printable by the caller.
//   Fails    cannot.

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "outside/verify/verdict.h"

namespace casemate::verify {

// Codes are part of the interface: programs match on them, so they are never renamed.
namespace code {
inline constexpr std::string_view kForm = "evidence.form";
inline constexpr std::string_view kQuoteForm = "quote.form";
inline constexpr std::string_view kQuoteSignature = "quote.signature";
inline constexpr std::string_view kRootKind = "root.kind";
inline constexpr std::string_view kRootKey = "root.key";
inline constexpr std::string_view kReportData = "quote.report_data";
inline constexpr std::string_view kClaimsForm = "claims.form";
inline constexpr std::string_view kTlsKey = "claims.tls_key";
inline constexpr std::string_view kMonitorKey = "claims.monitor_key";
inline constexpr std::string_view kTokens = "tokens.present";
inline constexpr std::string_view kTokenSignature = "token.signature";
inline constexpr std::string_view kTokenForm = "token.form";
inline constexpr std::string_view kTokenNonce = "token.nonce";
inline constexpr std::string_view kTokenKind = "token.kind";
inline constexpr std::string_view kTokenKey = "token.key";
inline constexpr std::string_view kTokenEpoch = "token.epoch";
inline constexpr std::string_view kTokenDebug = "token.debug";
inline constexpr std::string_view kTokenIssued = "token.issued";
inline constexpr std::string_view kQuoteDebug = "quote.debug";
inline constexpr std::string_view kQuoteIssued = "quote.issued";
inline constexpr std::string_view kSecurityVersion = "quote.security_version";
inline constexpr std::string_view kPlatform = "platform.measurement";
inline constexpr std::string_view kModelName = "model.name";
inline constexpr std::string_view kModel = "enclave.model";
inline constexpr std::string_view kProgram = "enclave.program";
inline constexpr std::string_view kManifest = "enclave.manifest";
inline constexpr std::string_view kDevice = "enclave.device";
inline constexpr std::string_view kPeers = "enclave.peers";
}  // namespace code

// What one check found. The texts are kept only when it is not good.
struct Finding {
  bool good = false;
  std::string expected{};
  std::string actual{};
  bool allowed = false;  // not good, and the policy lets it pass
};

// Writes checks into a verdict. A failed `require` stops everything behind it; a failed `judge` is
// the policy's "no" to something that was proved, and the rest is still looked at.
class Checks final {
 public:
  explicit Checks(Verdict& verdict) : verdict_(verdict) {}

  template <class Body>
  void require(std::string_view code, std::string subject, Body body) {
    if (!record(code, std::move(subject), body)) halted_ = true;
  }
  template <class Body>
  void judge(std::string_view code, std::string subject, Body body) {
    record(code, std::move(subject), body);
  }

 private:
  // True unless the check ran and failed.
  template <class Body>
  bool record(std::string_view code, std::string subject, Body& body) {
    Check check{.code = code, .subject = std::move(subject)};
    if (!halted_) {
      Finding finding = body();
      check.outcome = finding.good      ? Outcome::kPassed
                      : finding.allowed ? Outcome::kAllowed
                                        : Outcome::kFailed;
      if (!finding.good) {
        check.expected = std::move(finding.expected);
        check.actual = std::move(finding.actual);
      }
    }
    verdict_.checks.push_back(std::move(check));
    return verdict_.checks.back().outcome != Outcome::kFailed;
  }

  Verdict& verdict_;
  bool halted_ = false;
};

}  // namespace casemate::verify
