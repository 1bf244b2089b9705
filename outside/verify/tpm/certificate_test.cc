// SPDX-License-Identifier: Apache-2.0
// What an authority says of a TPM's key: for what, until when, and whether it still does. A whole
// way with a (software) TPM is in tests/tpm.
#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/tpm/key.h"
#include "outside/verify/tpm/testing/tpm_signer.h"
#include "outside/verify/tpm/verify_tpm.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::verify {
namespace {

using testing::Authority;
using testing::ExtraExtension;
using testing::kBegin;
using testing::kEnd;

constexpr const char* kUses = "2.5.29.37";  // extended key usage
constexpr const char* kUsage = "2.5.29.15";
const ExtraExtension kForAttestation{kUses, {0x30, 7, 6, 5, 0x67, 0x81, 5, 8, 3}};

// A bit string of key usages; `unused` of its bits are not there.
ExtraExtension usage(uint8_t unused, uint8_t bits) { return {kUsage, {3, 2, unused, bits}, true}; }

// A TPM whose key an authority below a root certifies.
struct CertifiedTpm {
  testing::TpmSigner signer;
  Authority root{{.name = "root", .authority = true}};
  Authority authority{root.issue({.name = "owner", .authority = true})};

  [[nodiscard]] X509Certificate certify(std::vector<ExtraExtension> extensions) const {
    return authority.certify(read_tpm_key(signer.key)->spki,
                             {.name = "TPM key", .extensions = std::move(extensions)});
  }
  [[nodiscard]] Collateral collateral() const {
    Collateral made;
    made.add(root.certificate());
    made.add(authority.certificate());
    return made;
  }
  // The verdict for who trusts the root, or else the authority alone.
  [[nodiscard]] Verdict judge(const X509Certificate& certificate, const Collateral& known,
                              bool by_root = true) const {
    testing::TpmSigner shown = signer;
    shown.certificate = certificate.der();
    Verdict verdict;
    Checks checks(verdict);
    TpmRules rules;
    rules.authorities = {by_root ? root.key_hash() : authority.key_hash()};
    verify_tpm(shown.quote(), known, rules, signer.issued_unix, checks);
    return verdict;
  }
  [[nodiscard]] std::string refusal(const X509Certificate& certificate, const Collateral& known,
                                    bool by_root = true) const {
    const Verdict verdict = judge(certificate, known, by_root);
    const Check* failure = verdict.first_failure();
    return failure == nullptr ? "" : formatted("{}: {}", failure->code, failure->actual);
  }
};

TEST(TpmCertificate, is_for_attestation_by_name) {
  const CertifiedTpm tpm;
  const auto refused = [&](std::vector<ExtraExtension> extensions) {
    return tpm.refusal(tpm.certify(std::move(extensions)), tpm.collateral());
  };
  EXPECT_EQ(refused({kForAttestation}), "");
  ExtraExtension critical = kForAttestation;
  critical.critical = true;
  EXPECT_EQ(refused({critical}), "");
  // Of an endorsement key, of a server, for anything, for nothing that can be read; and silent.
  for (const std::vector<uint8_t>& uses :
       {std::vector<uint8_t>{0x30, 7, 6, 5, 0x67, 0x81, 5, 8, 1},
        std::vector<uint8_t>{0x30, 10, 6, 8, 0x2B, 6, 1, 5, 5, 7, 3, 1},
        std::vector<uint8_t>{0x30, 6, 6, 4, 0x55, 0x1D, 0x25, 0}, std::vector<uint8_t>{0x30, 0},
        std::vector<uint8_t>{5, 0}}) {
    const std::string text = refused({{kUses, uses, false}});
    EXPECT_TRUE(text.starts_with("tpm.key_known: ")) << text;
    EXPECT_TRUE(text.contains("for something else than attestation")) << text;
  }
  EXPECT_TRUE(refused({}).contains("for something else than attestation"));
}

TEST(TpmCertificate, lets_its_key_sign) {
  const CertifiedTpm tpm;
  const auto refused = [&](const ExtraExtension& extension) {
    return tpm.refusal(tpm.certify({kForAttestation, extension}), tpm.collateral());
  };
  EXPECT_EQ(refused(usage(7, 0x80)), "") << "digital signature";
  EXPECT_EQ(refused(usage(5, 0xA0)), "") << "with key encipherment";
  // Non-repudiation; enciphering keys or data; agreeing on keys; signing certificates or lists.
  for (const auto& other : {usage(6, 0x40), usage(5, 0x20), usage(4, 0x10), usage(3, 0x08),
                            usage(2, 0x04), usage(1, 0x02)}) {
    const std::string text = refused(other);
    EXPECT_TRUE(text.starts_with("tpm.key_known: ")) << text;
    EXPECT_TRUE(text.contains("may not sign")) << text;
  }
  EXPECT_TRUE(refused({kUsage, {5, 0}, false}).starts_with("tpm.key_known: ")) << "unreadable";
}

TEST(TpmCertificate, that_its_authority_took_back_is_refused) {
  const CertifiedTpm tpm;
  const X509Certificate certificate = tpm.certify({kForAttestation});
  const X509Certificate other = tpm.certify({kForAttestation});
  const int64_t now = tpm.signer.issued_unix;
  const auto outcome = [&](const std::vector<X509Crl>& lists) {
    Collateral known = tpm.collateral();
    for (const X509Crl& list : lists) known.add(list);
    const Verdict verdict = tpm.judge(certificate, known);
    for (const Check& check : verdict.checks) {
      // It is the only thing that a list decides.
      EXPECT_EQ(check.outcome == Outcome::kFailed,
                check.code == code::kTpmRevoked.code && verdict.first_failure() != nullptr);
      if (check.code == code::kTpmRevoked.code) return check.outcome;
    }
    return Outcome::kNotRun;
  };
  const X509Crl of_root = tpm.root.list({});
  EXPECT_EQ(outcome({}), Outcome::kAllowed) << "nobody knows, and that is said";
  EXPECT_EQ(outcome({tpm.authority.list({})}), Outcome::kAllowed) << "of the authority itself";
  EXPECT_EQ(outcome({of_root, tpm.authority.list({})}), Outcome::kPassed);
  EXPECT_EQ(outcome({of_root, tpm.authority.list({other})}), Outcome::kPassed);
  EXPECT_EQ(outcome({of_root, tpm.authority.list({other, certificate})}), Outcome::kFailed);
  EXPECT_EQ(outcome({tpm.authority.list({certificate})}), Outcome::kFailed);
  EXPECT_EQ(outcome({of_root, tpm.authority.list({certificate}, kBegin, now - 1)}),
            Outcome::kFailed)
      << "an old list revokes as well";
  EXPECT_EQ(outcome({of_root, tpm.authority.list({}, kBegin, now - 1)}), Outcome::kFailed)
      << "and does not show that nothing was revoked since";
  EXPECT_EQ(outcome({tpm.root.list({tpm.authority.certificate()}), tpm.authority.list({})}),
            Outcome::kFailed)
      << "the authority itself";
}

TEST(TpmCertificate, is_answered_by_what_helps_where_a_list_is_old_or_names_it) {
  const CertifiedTpm tpm;
  const X509Certificate certificate = tpm.certify({kForAttestation});
  const auto told = [&](const X509Crl& list) {
    Collateral known = tpm.collateral();
    known.add(list);
    return std::string(tpm.judge(certificate, known).next());
  };
  EXPECT_TRUE(told(tpm.authority.list({certificate})).starts_with("do not use this server"));
  const auto old = told(tpm.authority.list({}, kBegin, tpm.signer.issued_unix - 1));
  EXPECT_TRUE(old.starts_with("compare the clock")) << old;
}

TEST(TpmCertificate, counts_for_who_names_its_authority_alone) {
  const CertifiedTpm tpm;
  const X509Certificate certificate = tpm.certify({kForAttestation});
  EXPECT_EQ(tpm.refusal(certificate, tpm.collateral(), false), "");
  Collateral known = tpm.collateral();
  known.add(tpm.authority.list({certificate}, kBegin, kEnd));
  EXPECT_TRUE(tpm.refusal(certificate, known, false).starts_with("tpm.certificate_revoked: "));
}

}  // namespace
}  // namespace casemate::verify
