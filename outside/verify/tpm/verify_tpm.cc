// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/tpm/verify_tpm.h"

#include <algorithm>

#include "outside/verdict/accepted_values.h"
#include "outside/verify/event_log/event_log.h"
#include "outside/verify/tpm/key_use.h"
#include "outside/verify/tpm/quote.h"
#include "outside/verify/x509/chain.h"

namespace casemate::verify {
namespace {

constexpr uint32_t kFirmwarePcrs = 10;  // PCRs 0 to 9

Finding sound(const Status& status, std::string expected) {
  if (status) return {.good = true, .expected = std::move(expected)};
  return {.good = false, .expected = std::move(expected), .actual = status.error().text};
}

template <class T>
Finding keep(Result<T> read, T& into, std::string expected) {
  if (read) into = *std::move(read);
  return sound(read ? Status() : Status(read.error()), std::move(expected));
}

Result<Chain> certified(const TpmQuote& quote, const Collateral& collateral,
                        const TpmRules& rules) {
  const X509Certificate leaf = TRY(X509Certificate::from_der(quote.certificate));
  if (leaf.key() != quote.key.spki)
    return Error{Code::kInvalid, "the certificate is of another key"};
  // An authority may certify other things too, such as servers: what it says of those is not meant.
  if (!names_key_use(leaf, kAttestationKeyUse)) {
    return Error{Code::kInvalid, formatted("the certificate {} is for something else than "
                                           "attestation (extended key usage {})",
                                           leaf.subject(), kAttestationKeyUse)};
  }
  if (!may_sign(leaf)) {
    return Error{Code::kInvalid, formatted("the key of the certificate {} may not sign (key usage)",
                                           leaf.subject())};
  }
  // Who runs many machines has an authority for them below one for everything.
  ChainRules wanted{.anchors = rules.authorities};
  wanted.certified_anchors = true;
  return chain_of(leaf, collateral.certificates(), wanted);
}

// One verification; the checks are called in order, and those behind a broken one do not run.
class TpmVerification final {
 public:
  TpmVerification(const Collateral& collateral, const TpmRules& rules, int64_t now, Checks& checks)
      : collateral_(collateral), rules_(rules), now_(now), checks_(checks) {
    platform_.root = "tpm";
  }

  Platform run(Bytes bytes) && {
    check_quote(bytes);
    check_key_known();
    for (const auto& [pcr, accepted] : rules_.pcrs) {
      checks_.judge(code::kTpmPcr, formatted("PCR {}", pcr), [&] {
        const auto held = pcr_value(quote_, pcr);
        return Finding{held && std::ranges::contains(accepted, *held),
                       accepted.empty() ? "no value" : to_hex(accepted.front()),
                       held ? to_hex(*held) : held.error().text};
      });
    }
    check_logs();
    return std::move(platform_);
  }

 private:
  void check_quote(Bytes bytes);
  void check_key_known();
  void check_logs();
  void fill_platform(const OwnEvents& events);

  const Collateral& collateral_;
  const TpmRules& rules_;
  int64_t now_;
  Checks& checks_;
  TpmQuote quote_;
  Platform platform_;
};

void TpmVerification::check_quote(Bytes bytes) {
  checks_.require(code::kTpmForm, "", [&] {
    return keep(read_tpm_quote(bytes), quote_, "a quote of PCRs, its key, and what was measured");
  });
  checks_.require(code::kTpmKey, "", [&] {
    const auto name = qualified_name(quote_.key);
    if (!std::ranges::equal(name, quote_.attest.signer)) {
      return Finding{.expected = "a primary key of the endorsement hierarchy: " + to_hex(name),
                     .actual = to_hex(quote_.attest.signer)};
    }
    return sound(check_attestation_key(quote_.key), "a restricted signing key, fixed to its TPM");
  });
  checks_.require(code::kTpmSignature, "", [&] {
    return sound(check_tpm_signature(quote_.key, quote_.attest_bytes, quote_.signature),
                 "a signature of the key over the quote");
  });
  checks_.require(code::kTpmHead, "",
                  [&] { return sound(check_head(quote_), "the hash of the quote's head"); });
  checks_.require(code::kTpmPcrs, "", [&] {
    return sound(check_pcr_values(quote_), "values whose digest is signed, PCR 23 among them");
  });
  checks_.require(code::kTpmEvents, "", [&] {
    OwnEvents events;
    Finding finding = keep(check_own_events(quote_), events, "the platform and flags in PCR 23");
    if (finding.good) fill_platform(events);
    return finding;
  });
}

void TpmVerification::fill_platform(const OwnEvents& events) {
  platform_.root_key = quote_.key.spki;
  platform_.report_data = quote_.head.report_data;
  platform_.issued_unix = quote_.head.issued_unix;
  platform_.digest = events.platform;
  platform_.debug = events.debug;
  const Sha384Digest key = sha384(quote_.key_bytes);
  platform_.measurements.push_back({std::string(kTpmKeyMeasurement), {key.begin(), key.end()}});
  for (uint32_t pcr = 0; pcr < 32; ++pcr) {
    if (const auto value = pcr_value(quote_, pcr))
      platform_.measurements.push_back({formatted("pcr{}", pcr), {value->begin(), value->end()}});
  }
}

void TpmVerification::check_key_known() {
  Chain chain;
  checks_.judge(code::kTpmKnown, "", [&] {
    const Sha384Digest hash = sha384(quote_.key_bytes);
    if (std::ranges::contains(rules_.keys, hash))
      return Finding{.good = true, .expected = "a key of the policy's", .actual = to_hex(hash)};
    if (quote_.certificate.empty()) {
      return Finding{.expected = "a certificate of an authority, or a key of the policy's",
                     .actual = "no certificate, and the key " + to_hex(hash)};
    }
    return keep(certified(quote_, collateral_, rules_), chain, "a certificate of an authority");
  });
  if (chain.empty()) return;  // a key of the policy's, or one that nobody knows
  platform_.root_key = chain.back().key();
  checks_.judge(code::kTpmValid, "",
                [&] { return sound(check_validity(chain, now_), "a time within its validity"); });
  checks_.judge(code::kTpmRevoked, "", [&] {
    const auto check = [&](Revocation wanted) {
      return check_revocation(chain, collateral_.crls(), now_, wanted);
    };
    return unrevoked(check(Revocation::kMustBeShown), check(Revocation::kIfListed),
                     "current lists that name none of the certificates", code::kRevokedTpm);
  });
}

// A log is of one start: it accounts for each PCR of firmware and boot loader that it mentions, or
// it is not this machine's. Others are extended later, too, by whom no log of firmware knows.
void TpmVerification::check_logs() {
  for (const Collateral::File& file : collateral_.others()) {
    const auto log = EventLog::read(file.content, LogHash::kSha256);
    if (!log) continue;  // something else
    checks_.judge(code::kTpmLog, file.name, [&] {
      for (uint32_t pcr = 0; pcr < kFirmwarePcrs; ++pcr) {
        const auto logged = [&](const LoggedEvent& event) { return event.index == pcr; };
        const auto held = pcr_value(quote_, pcr);
        if (!held || std::ranges::none_of(log->events(), logged)) continue;
        const auto replayed = log->replay(pcr);
        if (!std::ranges::equal(replayed, *held)) {
          return Finding{.expected = formatted("PCR {} {}", pcr, to_hex(*held)),
                         .actual = "the log comes to " + to_hex(replayed)};
        }
      }
      return Finding{.good = true};
    });
  }
}

}  // namespace

Platform verify_tpm(Bytes quote, const Collateral& collateral, const TpmRules& rules,
                    int64_t now_unix, Checks& checks) {
  return TpmVerification(collateral, rules, now_unix, checks).run(quote);
}

}  // namespace casemate::verify
