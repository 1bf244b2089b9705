// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/verify.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/certificate.h"
#include "outside/verify/codes.h"
#include "outside/verify/decode.h"
#include "outside/verify/development/development_chain.h"
#include "outside/verify/device_evidence.h"
#include "outside/verify/line.h"
#include "outside/verify/pins.h"
#include "outside/verify/quote.h"
#include "outside/verify/root_quote.h"
#include "outside/verify/start.h"

namespace casemate::verify {
namespace {

constexpr EnclaveToken kNoToken{};

Finding sound(const Status& status, std::string expected) {
  if (status) return {.good = true, .expected = std::move(expected)};
  return {.good = false, .expected = std::move(expected), .actual = status.error().text};
}

Finding same(Bytes expected, Bytes actual) {
  return {std::ranges::equal(expected, actual), to_hex(expected), to_hex(actual)};
}

Finding one_of(const Accepted& accepted, const Sha384Digest& actual) {
  if (accepted.empty()) return {.expected = "a pinned value", .actual = "no pin", .allowed = true};
  if (std::ranges::contains(accepted, actual))
    return {.good = true, .expected = "a pinned value", .actual = to_hex(actual)};
  std::string expected = to_hex(accepted.front());
  if (accepted.size() > 1) expected += formatted(" or {} others", accepted.size() - 1);
  return {.good = false, .expected = std::move(expected), .actual = to_hex(actual)};
}

Finding not_debug(bool debug, const Policy& policy) {
  return {!debug, "no debug flag", debug ? "the debug flag" : "", policy.insecure_allow_debug};
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
  return {.good = true,
          .expected = formatted("at most {} s old", age_max),
          .actual = formatted("issued at {}, now is {}", issued, now)};
}

// One verification. The checks are called in order; those behind a broken one do not run, so each
// may rely on all before it.
class Verification final {
 public:
  Verification(Bytes bytes, const Expectation& expected, const Policy& policy, Cache* cache)
      : bytes_(bytes), expected_(expected), policy_(policy), cache_(cache), checks_(verdict_) {}

  Verdict run() && {
    verdict_.evidence_hash = sha256(bytes_);
    verdict_.time_used_unix = expected_.now_unix;
    verdict_.weakened = weaknesses_of(policy_);
    check_quote();
    check_claims();
    checks_.require(code::kTokens, "", [&] { return gateway_present(); });
    const size_t count = std::max<size_t>(evidence_.tokens.size(), 1);
    for (size_t i = 0; i < count; ++i) check_token(i);
    checks_.require(code::kTokenLine, "", [&] {
      return keep(callers_of(evidence_.tokens), callers_, "tokens in the order of calls");
    });
    checks_.require(code::kDeviceEvidence, "", [&] {
      return sound(check_devices(evidence_), "what tokens name, in their order");
    });
    judge_platform();
    for (size_t i = 0; i < count; ++i) judge_enclave(i);
    if (!checks_.halted()) judge_devices(evidence_, policy_, expected_.now_unix, verdict_);
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
  // A check that the same bytes always pass or fail.
  template <class Body>
  Status once(std::string_view what, Bytes first, Bytes second, Body body) {
    // Nobody shows the tokens of a proof again.
    const bool again = cache_ != nullptr && !(what == "token" && expected_.nonce);
    return again ? cache_->once(what, first, second, body) : body();
  }
  const EnclaveToken& token(size_t i) const {
    return i < evidence_.tokens.size() ? evidence_.tokens[i] : kNoToken;
  }
  // Who holds the key comes first: a gateway, unless a model speaks for itself.
  bool gateway(size_t i) const { return i == 0 && !expected_.model_alone; }
  size_t first_model() const { return expected_.model_alone ? 0 : 1; }
  std::string subject(size_t i) const {
    return gateway(i) ? "gateway" : formatted("model {}", printable(token(i).name.view(), 64));
  }
  const EnclavePolicy* policy_of(size_t i) const {
    if (gateway(i)) return &policy_.gateway;
    const auto found = policy_.models.find(token(i).name.view());
    return found == policy_.models.end() ? nullptr : &found->second;
  }

  void check_quote();
  void check_software_quote();
  void check_claims();
  void check_token(size_t i);
  void judge_platform();
  void judge_measured();
  void judge_enclave(size_t i);
  bool leads(size_t i) const {
    if (i == 0) return expected_.model_alone;
    return i >= callers_.size() || callers_[i] == 0;
  }
  bool pinned_by_caller(size_t i) const;
  Finding gateway_present() const;
  Finding right_kind(size_t i) const;
  Finding right_key(size_t i) const;
  Finding right_model(size_t i) const;

  Bytes bytes_;
  const Expectation& expected_;
  const Policy& policy_;
  Cache* cache_;
  Verdict verdict_;
  Checks checks_;
  Evidence evidence_;
  Platform platform_;
  Claims claims_;
  std::vector<size_t> callers_;  // of each token
};

void Verification::check_quote() {
  checks_.require(code::kForm, "", [&] {
    Finding finding = keep(decode_evidence(bytes_), evidence_, "[quote, claims, tokens] as CBOR");
    verdict_.tokens = evidence_.tokens;
    return finding;
  });
  const bool hardware = of_hardware(evidence_.quote);
  if (hardware) {
    platform_ = appraise_root(evidence_.quote, policy_, expected_.now_unix, checks_);
    if (!platform_.root_key.empty()) verdict_.root_key_hash = sha384(platform_.root_key);
    verdict_.quoted = platform_;
  } else {
    check_software_quote();
  }
  verdict_.root = platform_.root;
  verdict_.development_root = platform_.development;
  verdict_.platform = platform_.digest;
  verdict_.security_version = platform_.security_version;
  verdict_.quote_issued_unix = platform_.issued_unix.value_or(0);
  checks_.judge(code::kRootKind, "", [&] {
    const std::string_view found =
        platform_.development ? "a development root, made in software" : platform_.root;
    return Finding{!platform_.development, "a hardware root", std::string(found),
                   policy_.allow_software_root};
  });
  if (hardware) return;  // whose rules say which keys count
  checks_.judge(code::kRootKey, "",
                [&] { return one_of(policy_.software_roots, verdict_.root_key_hash); });
}

void Verification::check_software_quote() {
  Quote quote;
  checks_.require(code::kQuoteForm, "", [&] {
    Finding finding = keep(read_quote(evidence_.quote), quote, "a quote of a known root");
    if (!finding.good) return finding;
    platform_ = {.root = name_of(RootKind::kSoftware),
                 .development = true,
                 .report_data = quote.report.report_data,
                 .digest = quote.report.platform_measurement,
                 .security_version = quote.report.security_version,
                 .debug = (quote.report.flags & SoftwareQuote::kDebug) != 0,
                 .issued_unix = quote.report.issued_unix};
    return finding;
  });
  DevelopmentChain chain;
  checks_.require(code::kQuoteCertificates, "", [&] {
    Finding finding = keep(read_development_chain(quote.certificates), chain,
                           "the attestation key's certificate, its authority's and the root's");
    platform_.root_key.assign(chain.back().key.begin(), chain.back().key.end());
    if (finding.good) verdict_.root_key_hash = sha384(platform_.root_key);
    return finding;
  });
  // What the certificates say is the same for all who show them; whether that is so now is not.
  checks_.require(code::kQuoteChain, "", [&] {
    return sound(once("development chain", quote.certificates, {},
                      [&] { return check_development_chain(chain); }),
                 "three certificates, each signed by the next and the last by itself");
  });
  checks_.require(code::kQuoteValidity, "", [&] {
    return sound(check_development_validity(chain, expected_.now_unix),
                 "certificates that are valid at this time");
  });
  checks_.require(code::kQuoteSignature, "", [&] {
    return sound(once("quote", evidence_.quote, {},
                      [&] { return check_quote_signature(quote.report, chain.front().key); }),
                 "a signature by the key of the first certificate");
  });
}

void Verification::check_claims() {
  checks_.require(code::kReportData, "",
                  [&] { return same(report_data_of(evidence_.claims), platform_.report_data); });
  checks_.require(code::kClaimsForm, "", [&] {
    Finding finding = keep(decode_claims(evidence_.claims), claims_,
                           "a key's hash, casemate-platform and casemate-monitor-key");
    if (finding.good) verdict_.platform = claims_.platform;
    return finding;
  });
  // Or a model could be made to look like a gateway, and a gateway's key be given a model's.
  const KeyUse use = expected_.model_alone ? KeyUse::kHpke : KeyUse::kTls;
  checks_.require(code::kKeyUse, "", [&] {
    return Finding{claims_.use == use, std::string(claim_of(use)),
                   std::string(claim_of(claims_.use))};
  });
  checks_.require(expected_.model_alone ? code::kHpkeKey : code::kTlsKey, "",
                  [&] { return same(sha256(expected_.tls_key), claims_.key_hash); });
  checks_.require(code::kMonitorKey, "", [&] {
    return sound(once("monitor key", claims_.monitor_key, {},
                      [&] { return check_p256_key(claims_.monitor_key); }),
                 "a P-256 key");
  });
  // Hardware measures what was booted, and that is what has to see to it that no other monitor
  // runs; of the monitor it has the claims' word.
  checks_.require(code::kMonitor, "", [&] {
    const bool measures =
        platform_.root == name_of(RootKind::kSoftware) || platform_.root == name_of(RootKind::kTpm);
    return measures ? same(platform_.digest, claims_.platform) : Finding{.good = true};
  });
}

Finding Verification::gateway_present() const {
  if (evidence_.tokens.empty()) {
    return {false, expected_.model_alone ? "the model's token" : "the gateway's token first",
            "no token"};
  }
  return {.good = true, .actual = formatted("{} tokens", evidence_.tokens.size())};
}

void Verification::check_token(size_t i) {
  checks_.require(code::kTokenSignature, subject(i), [&] {
    return sound(once("token", claims_.monitor_key, bytes_of(token(i)),
                      [&] {
                        return verify_signature(claims_.monitor_key, token(i).signed_bytes(),
                                                token(i).signature, Curve::kP256);
                      }),
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
    checks_.require(expected_.model_alone ? code::kTokenHpkeKey : code::kTokenKey, subject(i),
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
  const bool driver =
      i > first_model() && token(i).kind == static_cast<uint32_t>(EnclaveKind::kDevice);
  if (token(i).kind != static_cast<uint32_t>(wanted) && !driver) {
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
  return {.good = true, .actual = formatted("kind {}", token(i).kind)};
}

void Verification::judge_platform() {
  checks_.judge(code::kQuoteDebug, "", [&] { return not_debug(platform_.debug, policy_); });
  if (!platform_.root.empty() && !platform_.development) {
    checks_.judge(code::kStart, "", [&] {
      Finding finding = start_is_named(platform_.root, policy_);
      finding.allowed = policy_.insecure_allow_any_start;
      return finding;
    });
  }
  // Reports of most hardware carry no time. They are no older than the monitor's key, which is made
  // at its start, and tokens say when they were signed.
  if (!platform_.root.empty() && !platform_.issued_unix) return judge_measured();
  checks_.judge(code::kQuoteIssued, "", [&] {
    return believable(platform_.issued_unix.value_or(0), expected_.now_unix,
                      policy_.max_age_seconds);
  });
  judge_measured();
}

void Verification::judge_measured() {
  checks_.judge(code::kSecurityVersion, "", [&] {
    return Finding{platform_.security_version >= policy_.security_version_min,
                   formatted("{} or higher", policy_.security_version_min),
                   formatted("{}", platform_.security_version)};
  });
  checks_.judge(code::kPlatform, "", [&] { return one_of(policy_.platform, claims_.platform); });
  if (expected_.model.empty()) return;
  checks_.judge(code::kModelName, "", [&] {
    return Finding{evidence_.tokens.size() > first_model(),
                   formatted("a token of model {}", printable(expected_.model, 64)),
                   formatted("{} tokens, the gateway's among them", evidence_.tokens.size())};
  });
}

Finding Verification::right_model(size_t i) const {
  const std::string_view name = token(i).name.view();
  if (token(i).kind != static_cast<uint32_t>(EnclaveKind::kModel))
    return {false, "a model (kind 2)", formatted("kind {}", token(i).kind)};
  if (!expected_.model.empty() && name != expected_.model)
    return {false, formatted("model {}", printable(expected_.model, 64)), subject(i)};
  if (i == first_model() &&
      expected_.model_version.value_or(token(i).model_version) != token(i).model_version)
    return {false, formatted("version {}", *expected_.model_version),
            formatted("version {}", token(i).model_version)};
  if (!policy_.models.empty() && policy_of(i) == nullptr)
    return {false, "a model that the policy names", subject(i)};
  return {.good = true, .actual = formatted("{}, version {}", subject(i), token(i).model_version)};
}

void Verification::judge_enclave(size_t i) {
  if (leads(i)) checks_.judge(code::kModelName, subject(i), [&] { return right_model(i); });
  const EnclavePolicy* found = policy_of(i);
  const bool covered = found == nullptr && pinned_by_caller(i);
  // Whom a worker calls in its turn sees what it is sent, and no list pins who that is.
  if (i > 0 && !leads(i) && found == nullptr && !covered && !policy_.models.empty()) {
    checks_.judge(code::kModelName, subject(i), [&] {
      return Finding{false, "an enclave that the policy names, or its caller's peers pin",
                     subject(i)};
    });
  }
  const EnclavePolicy policy = found == nullptr ? EnclavePolicy{} : *found;
  const auto judge = [&](const CheckKind& kind, const Accepted& accepted,
                         const Sha384Digest& actual) {
    checks_.judge(kind, subject(i), [&] {
      if (!covered) return one_of(accepted, actual);
      return Finding{
          .good = true, .expected = "what its caller's peers pin", .actual = to_hex(actual)};
    });
  };
  if (!gateway(i)) judge(code::kModel, policy.model, token(i).model_measurement);
  judge(code::kProgram, policy.program, token(i).program_measurement);
  judge(code::kManifest, policy.manifest, token(i).manifest_measurement);
  judge(code::kDevice, policy.device, token(i).device_measurement);
  if (!covered || token(i).peer_count > 0)
    checks_.judge(code::kPeers, subject(i),
                  [&] { return one_of(policy.peers, token(i).peers_measurement); });
}

// The list of its caller, which was held against the tokens, is one of the policy's: so is what
// this enclave is, though not whom it calls in its turn.
bool Verification::pinned_by_caller(size_t i) const {
  if (i == 0 || i >= callers_.size() || callers_[i] == 0) return false;
  const EnclavePolicy* caller = policy_of(callers_[i]);
  return caller != nullptr && !caller->peers.empty();
}

}  // namespace

Verdict verify_evidence(Bytes evidence, const Expectation& expected, const Policy& policy,
                        Cache* cache) {
  return Verification(evidence, expected, policy, cache).run();
}

}  // namespace casemate::verify
