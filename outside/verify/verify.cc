// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/verify.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/certificate.h"
#include "outside/verify/codes.h"
#include "outside/verify/decode.h"
#include "outside/verify/pins.h"
#include "outside/verify/quote.h"

namespace casemate::verify {
namespace {

constexpr EnclaveToken kNoToken{};

Finding sound(const Status& status, std::string expected) {
  if (status) return {.good = true};
  return {.good = false, .expected = std::move(expected), .actual = status.error().text};
}

Finding same(Bytes expected, Bytes actual) {
  return {std::ranges::equal(expected, actual), to_hex(expected), to_hex(actual)};
}

Finding one_of(const Accepted& accepted, const Sha384Digest& actual) {
  if (accepted.empty()) return {.expected = "a pinned value", .actual = "no pin", .allowed = true};
  if (std::ranges::contains(accepted, actual)) return {.good = true};
  std::string expected = to_hex(accepted.front());
  if (accepted.size() > 1) expected += formatted(" or {} others", accepted.size() - 1);
  return {.good = false, .expected = std::move(expected), .actual = to_hex(actual)};
}

Finding not_debug(bool debug, const Policy& policy) {
  return {!debug, "no debug flag", "the debug flag", policy.insecure_allow_debug};
}

Finding believable(int64_t issued, int64_t now, int64_t age_max) {
  if (issued > now + kClockSkewSeconds) {
    return {
        .good = false,
        .expected = formatted("a time up to {} (now, and {} s for clocks)", now, kClockSkewSeconds),
        .actual = formatted("{}, in the future", issued)};
  }
  if (issued < now - age_max) {
    return {.good = false,
            .expected = formatted("at most {} s old", age_max),
            .actual = formatted("issued at {}, now is {}", issued, now)};
  }
  return {.good = true};
}

// One verification. The checks are called in order; those behind a broken one do not run, so each
// may rely on all before it.
class Verification final {
 public:
  Verification(Bytes bytes, const Expectation& expected, const Policy& policy)
      : bytes_(bytes), expected_(expected), policy_(policy), checks_(verdict_) {}

  Verdict run() && {
    verdict_.evidence_hash = sha256(bytes_);
    verdict_.time_used_unix = expected_.now_unix;
    verdict_.weakened = weaknesses_of(policy_);
    check_quote();
    check_claims();
    checks_.require(code::kTokens, "", [&] { return gateway_present(); });
    const size_t count = std::max<size_t>(evidence_.tokens.size(), 1);
    for (size_t i = 0; i < count; ++i) check_token(i);
    judge_platform();
    for (size_t i = 0; i < count; ++i) judge_enclave(i);
    verdict_.passed = std::ranges::all_of(verdict_.checks, [](const Check& check) {
      return check.outcome == Outcome::kPassed || check.outcome == Outcome::kAllowed;
    });
    return std::move(verdict_);
  }

 private:
  // Keeps the value of a reading step, or says what was wrong with it.
  template <class T>
  Finding keep(Result<T> read, T& into, std::string_view expected) {
    if (read) into = *std::move(read);
    return sound(read ? Status() : Status(read.error()), std::string(expected));
  }
  const EnclaveToken& token(size_t i) const {
    return i < evidence_.tokens.size() ? evidence_.tokens[i] : kNoToken;
  }
  // Who holds the key comes first: a gateway, unless a model speaks for itself.
  bool gateway(size_t i) const { return i == 0 && !expected_.model_alone; }
  std::string subject(size_t i) const {
    return gateway(i) ? "gateway" : formatted("model {}", printable(token(i).name.view(), 64));
  }
  const EnclavePolicy* policy_of(size_t i) const {
    if (gateway(i)) return &policy_.gateway;
    const auto found = policy_.models.find(token(i).name.view());
    return found == policy_.models.end() ? nullptr : &found->second;
  }

  void check_quote();
  void check_claims();
  void check_token(size_t i);
  void judge_platform();
  void judge_enclave(size_t i);
  Finding gateway_present() const;
  Finding right_kind(size_t i) const;
  Finding right_key(size_t i) const;
  Finding right_model(size_t i) const;

  Bytes bytes_;
  const Expectation& expected_;
  const Policy& policy_;
  Verdict verdict_;
  Checks checks_;
  Evidence evidence_;
  Quote quote_;
  Claims claims_;
};

void Verification::check_quote() {
  checks_.require(code::kForm, "", [&] {
    Finding finding = keep(decode_evidence(bytes_), evidence_, "[quote, claims, tokens] as CBOR");
    verdict_.tokens = evidence_.tokens;
    return finding;
  });
  checks_.require(code::kQuoteForm, "", [&] {
    Finding finding = keep(read_quote(evidence_.quote), quote_, "a quote of a known root");
    verdict_.root = quote_.root;
    verdict_.development_root = quote_.development;
    verdict_.root_key_hash = quote_.root_key_hash;
    verdict_.platform = quote_.platform;
    verdict_.security_version = quote_.security_version;
    verdict_.quote_issued_unix = quote_.issued_unix;
    return finding;
  });
  checks_.require(code::kQuoteSignature, "", [&] {
    return sound(check_quote_signature(evidence_.quote),
                 formatted("a signature by root key {}", to_hex(quote_.root_key_hash)));
  });
  checks_.judge(code::kRootKind, "", [&] {
    return Finding{!quote_.development, "a hardware root", "a development root, made in software",
                   policy_.allow_software_root};
  });
  checks_.judge(code::kRootKey, "",
                [&] { return one_of(policy_.software_roots, quote_.root_key_hash); });
}

void Verification::check_claims() {
  checks_.require(code::kReportData, "",
                  [&] { return same(report_data_of(evidence_.claims), quote_.report_data); });
  checks_.require(code::kClaimsForm, "", [&] {
    return keep(decode_claims(evidence_.claims), claims_, "pubkey-hash and casemate-monitor-key");
  });
  checks_.require(code::kTlsKey, "",
                  [&] { return same(sha256(expected_.tls_key), claims_.tls_key_hash); });
  checks_.require(code::kMonitorKey, "",
                  [&] { return sound(check_p384_key(claims_.monitor_key), "a P-384 key"); });
}

Finding Verification::gateway_present() const {
  if (evidence_.tokens.empty()) {
    return {false, expected_.model_alone ? "the model's token" : "the gateway's token first",
            "no token"};
  }
  return {.good = true};
}

void Verification::check_token(size_t i) {
  checks_.require(code::kTokenSignature, subject(i), [&] {
    return sound(verify_signature(claims_.monitor_key, token(i).signed_bytes(), token(i).signature),
                 "a signature by the monitor that the claims name");
  });
  checks_.require(code::kTokenForm, subject(i), [&] {
    if ((token(i).flags & ~EnclaveToken::kDebug) != 0)
      return Finding{false, "known flags", formatted("flags {:#x}", token(i).flags)};
    if (EnclaveId{token(i).enclave}.partition() == PartitionId{0})
      return Finding{false, "an enclave of a partition", "an enclave of the monitor itself"};
    return sound(check_form(token(i)), "a token as the monitor writes it");
  });
  checks_.require(code::kTokenNonce, subject(i),
                  [&] { return same(expected_.nonce.value_or(Nonce{}), token(i).nonce); });
  checks_.require(code::kTokenKind, subject(i), [&] { return right_kind(i); });
  if (i == 0) {
    checks_.require(code::kTokenKey, subject(i),
                    [&] { return same(sha384(expected_.tls_key), token(i).key_hash); });
    checks_.require(code::kTokenEpoch, subject(i), [&] {
      return Finding{token(i).epoch >= expected_.gateway_epoch_min,
                     formatted("epoch {} or later", expected_.gateway_epoch_min),
                     formatted("epoch {}", token(i).epoch)};
    });
  }
  checks_.judge(code::kTokenDebug, subject(i),
                [&] { return not_debug((token(i).flags & EnclaveToken::kDebug) != 0, policy_); });
  checks_.judge(code::kTokenIssued, subject(i), [&] {
    return believable(token(i).issued_unix, expected_.now_unix, policy_.max_age_seconds);
  });
}

Finding Verification::right_kind(size_t i) const {
  const EnclaveKind wanted = gateway(i) ? EnclaveKind::kGateway : EnclaveKind::kModel;
  if (token(i).kind != static_cast<uint32_t>(wanted)) {
    return {false, gateway(i) ? "a gateway (kind 1)" : "a model (kind 2)",
            formatted("kind {}", token(i).kind)};
  }
  // Two tokens of one enclave would let the second speak for an enclave that never answered.
  for (size_t j = 0; j < i; ++j) {
    if (token(j).enclave == token(i).enclave)
      return {false, "an enclave of its own", formatted("enclave {:#x} twice", token(i).enclave)};
  }
  if (gateway(i) && token(i).model_measurement != Sha384Digest{})
    return {false, "a gateway without a model", "a gateway with a model's measurement"};
  return {.good = true};
}

void Verification::judge_platform() {
  checks_.judge(code::kQuoteDebug, "", [&] { return not_debug(quote_.debug, policy_); });
  checks_.judge(code::kQuoteIssued, "", [&] {
    return believable(quote_.issued_unix, expected_.now_unix, policy_.max_age_seconds);
  });
  checks_.judge(code::kSecurityVersion, "", [&] {
    return Finding{quote_.security_version >= policy_.security_version_min,
                   formatted("{} or higher", policy_.security_version_min),
                   formatted("{}", quote_.security_version)};
  });
  checks_.judge(code::kPlatform, "", [&] { return one_of(policy_.platform, quote_.platform); });
  if (expected_.model.empty()) return;
  checks_.judge(code::kModelName, "", [&] {
    return Finding{evidence_.tokens.size() > (expected_.model_alone ? 0 : 1),
                   formatted("a token of model {}", printable(expected_.model, 64)),
                   "the gateway's token alone"};
  });
}

Finding Verification::right_model(size_t i) const {
  const std::string_view name = token(i).name.view();
  if (!expected_.model.empty() && name != expected_.model)
    return {false, formatted("model {}", printable(expected_.model, 64)), subject(i)};
  if (!policy_.models.empty() && policy_of(i) == nullptr)
    return {false, "a model that the policy names", subject(i)};
  return {.good = true};
}

void Verification::judge_enclave(size_t i) {
  if (!gateway(i)) checks_.judge(code::kModelName, subject(i), [&] { return right_model(i); });
  const EnclavePolicy* found = policy_of(i);
  const EnclavePolicy policy = found == nullptr ? EnclavePolicy{} : *found;
  const auto judge = [&](const CheckKind& kind, const Accepted& accepted,
                         const Sha384Digest& actual) {
    checks_.judge(kind, subject(i), [&] { return one_of(accepted, actual); });
  };
  if (!gateway(i)) judge(code::kModel, policy.model, token(i).model_measurement);
  judge(code::kProgram, policy.program, token(i).program_measurement);
  judge(code::kManifest, policy.manifest, token(i).manifest_measurement);
  judge(code::kDevice, policy.device, token(i).device_measurement);
  judge(code::kPeers, policy.peers, token(i).peers_measurement);
}

}  // namespace

Verdict verify_evidence(Bytes evidence, const Expectation& expected, const Policy& policy) {
  return Verification(evidence, expected, policy).run();
}

}  // namespace casemate::verify
