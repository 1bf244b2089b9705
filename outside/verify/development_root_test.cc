// SPDX-License-Identifier: Apache-2.0
// Which certificates a development root's quote may come with. Keys and certificates are made here,
// each as a test wants it; those that a system has are outside/certify's.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "outside/verify/codes.h"
#include "outside/verify/development/development_chain.h"
#include "outside/verify/testing/issuer.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/verify.h"

namespace casemate::verify {
namespace {

using testing::CertificateForm;
using testing::issue;
using testing::kNow;
using testing::Signer;
using Blob = std::vector<uint8_t>;

constexpr const char* kConstraints = "2.5.29.19";
constexpr const char* kUsage = "2.5.29.15";
const Blob kSignsReports = {3, 2, 7, 0x80};
const Blob kSignsCertificates = {3, 2, 1, 6};
Blob authority_over(uint8_t below) { return {0x30, 6, 1, 1, 0xFF, 2, 1, below}; }

// A root and all below it.
struct Pki {
  SigningKey root = *SigningKey::generate(Curve::kP256);
  SigningKey platform = *SigningKey::generate(Curve::kP256);
  SigningKey leaf = *SigningKey::generate();
  CertificateForm of_root{.name = std::string(kDevelopmentNames[2]),
                          .issuer = std::string(kDevelopmentNames[2]),
                          .authority = true,
                          .serial = 1};
  CertificateForm of_platform{.name = std::string(kDevelopmentNames[1]),
                              .issuer = std::string(kDevelopmentNames[2]),
                              .authority = true,
                              .serial = 2};
  CertificateForm of_leaf{.name = std::string(kDevelopmentNames[0]),
                          .issuer = std::string(kDevelopmentNames[1]),
                          .serial = 3,
                          .extensions = {{kUsage, kSignsReports}}};

  [[nodiscard]] std::vector<Blob> certificates() const {
    return {issue(of_leaf, leaf, platform), issue(of_platform, platform, root),
            issue(of_root, root, root)};
  }
};

Blob joined(const std::vector<Blob>& certificates) {
  Blob all;
  for (const Blob& one : certificates) all.insert(all.end(), one.begin(), one.end());
  return all;
}

Policy development() {
  Policy policy;
  policy.allow_software_root = true;
  return policy;
}

// The code of the first failure; "passed" when there is none.
std::string code_of(const Verdict& verdict) {
  const Check* failure = verdict.first_failure();
  if (failure == nullptr) return verdict.passed ? "passed" : "not passed, and nothing failed";
  EXPECT_FALSE(failure->expected.empty() || failure->actual.empty()) << failure->code;
  EXPECT_FALSE(failure->remedy.empty()) << failure->code;
  return std::string(failure->code);
}

Verdict judged(const Signer& signer, Bytes quote, const Policy& policy = development(),
               int64_t now = kNow, Cache* cache = nullptr) {
  return verify_evidence(encode_evidence(quote, signer.claims, signer.tokens),
                         {.tls_key = signer.tls.public_der(), .now_unix = now}, policy, cache);
}

// What is said of evidence whose report `key` has signed, with these certificates.
Verdict shown(SigningKey& key, const Blob& chain, const Policy& policy = development(),
              int64_t now = kNow) {
  Signer signer;
  std::swap(signer.attestation, key);
  signer.chain = chain;
  signer.sign();
  const Verdict verdict = judged(signer, signer.whole_quote(), policy, now);
  std::swap(signer.attestation, key);
  return verdict;
}

std::string outcome(Pki& pki, const Policy& policy = development(), int64_t now = kNow) {
  return code_of(shown(pki.leaf, joined(pki.certificates()), policy, now));
}

// After `bend` has changed what the certificates say, before they are signed.
std::string signed_after(auto bend) {
  Pki pki;
  bend(pki);
  return outcome(pki);
}

TEST(DevelopmentRoot, passes_with_its_three_certificates_and_is_named_by_the_last) {
  Pki pki;
  const Verdict verdict = shown(pki.leaf, joined(pki.certificates()));
  EXPECT_EQ(code_of(verdict), "passed") << text_of(verdict);
  EXPECT_EQ(verdict.root, "software");
  EXPECT_TRUE(verdict.development_root);
  EXPECT_EQ(verdict.root_key_hash, sha384(pki.root.public_der()));
  EXPECT_EQ(outcome(pki, Policy{}), code::kRootKind) << "nobody opted in";
}

TEST(DevelopmentRoot, is_refused_where_the_policy_names_another) {
  Pki pki;
  Policy policy = development();
  policy.software_roots = {sha384(pki.root.public_der())};
  EXPECT_EQ(outcome(pki, policy), "passed");
  Pki other;
  EXPECT_EQ(outcome(other, policy), code::kRootKey);
  // No other key of the pinned root's is one, and no other root certifies for it.
  for (const SigningKey* key : {&pki.platform, &pki.leaf}) {
    policy.software_roots = {sha384(key->public_der())};
    EXPECT_EQ(outcome(pki, policy), code::kRootKey);
  }
  policy.software_roots = {sha384(pki.root.public_der())};
  const Blob foreign =
      joined({other.certificates()[0], other.certificates()[1], pki.certificates()[2]});
  EXPECT_EQ(code_of(shown(other.leaf, foreign, policy)), code::kQuoteChain);
}

TEST(DevelopmentRoot, with_any_byte_of_its_report_changed_is_refused) {
  Signer signer;
  signer.sign();
  const Blob good = signer.whole_quote();
  Cache cache;
  EXPECT_EQ(code_of(judged(signer, good, development(), kNow, &cache)), "passed");
  for (size_t at = sizeof(HardwareQuote); at < sizeof(HardwareQuote) + sizeof(SoftwareQuote);
       ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      Blob bent = good;
      bent[at] = static_cast<uint8_t>(bent[at] ^ change);
      const std::string code = code_of(judged(signer, bent, development(), kNow, &cache));
      EXPECT_TRUE(code == code::kQuoteForm || code == code::kQuoteSignature) << at << ": " << code;
    }
  }
}

TEST(DevelopmentRoot, with_any_byte_of_its_certificates_changed_is_refused) {
  Signer signer;
  signer.sign();
  const Blob good = signer.whole_quote();
  for (size_t at = sizeof(HardwareQuote) + sizeof(SoftwareQuote); at < good.size(); ++at) {
    Blob bent = good;
    bent[at] = static_cast<uint8_t>(bent[at] ^ 1 << at % 8);
    const std::string code = code_of(judged(signer, bent));
    EXPECT_TRUE(code == code::kQuoteCertificates || code == code::kQuoteChain)
        << at << ": " << code;
  }
}

TEST(DevelopmentRoot, with_fewer_or_more_certificates_is_refused) {
  Pki pki;
  const auto parts = pki.certificates();
  const auto with = [&](const Blob& chain) { return code_of(shown(pki.leaf, chain)); };
  EXPECT_EQ(with({}), code::kQuoteCertificates);
  EXPECT_EQ(with(parts[0]), code::kQuoteCertificates);
  EXPECT_EQ(with(joined({parts[0], parts[1]})), code::kQuoteCertificates);
  EXPECT_EQ(with(joined({parts[0], parts[2]})), code::kQuoteCertificates);
  EXPECT_EQ(with(joined({parts[0], parts[1], parts[2], parts[2]})), code::kQuoteCertificates);
  EXPECT_EQ(with(joined({parts[0], parts[1], parts[2], {0}})), code::kQuoteCertificates);
  const Blob whole = joined(parts);
  for (size_t size = 0; size < whole.size(); size += 7)
    EXPECT_EQ(with(Blob(whole.begin(), whole.begin() + static_cast<long>(size))),
              code::kQuoteCertificates);
  EXPECT_EQ(with(Blob(500, 'x')), code::kQuoteCertificates);
}

TEST(DevelopmentRoot, with_its_certificates_in_another_order_is_refused) {
  Pki pki;
  const auto parts = pki.certificates();
  std::array<size_t, 3> order = {0, 1, 2};
  size_t refused = 0;
  while (std::ranges::next_permutation(order).found) {
    const Blob chain = joined({parts[order[0]], parts[order[1]], parts[order[2]]});
    refused += code_of(shown(pki.leaf, chain)) == code::kQuoteChain ? 1 : 0;
  }
  EXPECT_EQ(refused, 5u);
}

TEST(DevelopmentRoot, with_certificates_of_another_is_refused) {
  Pki pki;
  Pki other;
  const auto ours = pki.certificates();
  const auto theirs = other.certificates();
  EXPECT_EQ(code_of(shown(pki.leaf, joined({theirs[0], ours[1], ours[2]}))), code::kQuoteChain);
  EXPECT_EQ(code_of(shown(pki.leaf, joined({ours[0], theirs[1], ours[2]}))), code::kQuoteChain);
  EXPECT_EQ(code_of(shown(pki.leaf, joined({ours[0], ours[1], theirs[2]}))), code::kQuoteChain);
  EXPECT_EQ(code_of(shown(pki.leaf, joined(theirs))), code::kQuoteSignature);
}

TEST(DevelopmentRoot, whose_leaf_may_certify_or_not_sign_is_refused) {
  EXPECT_EQ(signed_after([](Pki&) {}), "passed");
  EXPECT_EQ(signed_after([](Pki& p) {
              p.of_leaf.authority = true;
              p.of_leaf.extensions.clear();
            }),
            code::kQuoteChain);
  EXPECT_EQ(signed_after(
                [](Pki& p) { p.of_leaf.extensions.emplace_back(kConstraints, authority_over(0)); }),
            code::kQuoteChain);
  EXPECT_EQ(signed_after([](Pki& p) { p.of_leaf.extensions = {{kUsage, kSignsCertificates}}; }),
            code::kQuoteChain);
  EXPECT_EQ(signed_after([](Pki& p) { p.of_leaf.extensions.clear(); }), code::kQuoteChain);
}

TEST(DevelopmentRoot, whose_authorities_are_none_or_may_have_none_below_them_is_refused) {
  for (CertificateForm Pki::* form : {&Pki::of_root, &Pki::of_platform}) {
    EXPECT_EQ(signed_after([&](Pki& p) { (p.*form).authority = false; }), code::kQuoteChain);
    EXPECT_EQ(signed_after([&](Pki& p) {
                (p.*form).authority = false;
                (p.*form).extensions = {{kConstraints, authority_over(1)}, {kUsage, kSignsReports}};
              }),
              code::kQuoteChain);
  }
  const auto over = [](CertificateForm Pki::* form, uint8_t below) {
    return signed_after([=](Pki& p) {
      (p.*form).authority = false;
      (p.*form).extensions = {{kConstraints, authority_over(below)}, {kUsage, kSignsCertificates}};
    });
  };
  EXPECT_EQ(over(&Pki::of_platform, 0), "passed");
  EXPECT_EQ(over(&Pki::of_root, 1), "passed");
  EXPECT_EQ(over(&Pki::of_root, 0), code::kQuoteChain);
}

TEST(DevelopmentRoot, whose_certificates_have_other_names_is_refused) {
  EXPECT_EQ(signed_after([](Pki& p) { p.of_leaf.name = "Attestation Key"; }), code::kQuoteChain);
  EXPECT_EQ(signed_after([](Pki& p) { p.of_platform.name = p.of_leaf.issuer = "Authority"; }),
            code::kQuoteChain);
  EXPECT_EQ(signed_after([](Pki& p) {
              p.of_root.name = p.of_root.issuer = p.of_platform.issuer = "Casemate Root";
            }),
            code::kQuoteChain);
}

TEST(DevelopmentRoot, that_another_certified_or_that_certified_the_leaf_itself_is_refused) {
  EXPECT_EQ(signed_after([](Pki& p) { p.of_root.issuer = "Somebody Else"; }), code::kQuoteChain);
  Pki pki;
  auto parts = pki.certificates();
  const Blob forged = issue(pki.of_root, pki.root, pki.platform);
  EXPECT_EQ(code_of(shown(pki.leaf, joined({parts[0], parts[1], forged}))), code::kQuoteChain);
  pki.of_leaf.issuer = pki.of_root.name;
  parts[0] = issue(pki.of_leaf, pki.leaf, pki.root);
  EXPECT_EQ(code_of(shown(pki.leaf, joined(parts))), code::kQuoteChain);
}

TEST(DevelopmentRoot, whose_attestation_key_is_on_another_curve_is_refused) {
  Pki pki;
  pki.leaf = *SigningKey::generate(Curve::kP256);
  EXPECT_EQ(outcome(pki), code::kQuoteSignature);
}

TEST(DevelopmentRoot, is_refused_before_and_after_each_certificate_is_valid) {
  for (CertificateForm Pki::* form : {&Pki::of_root, &Pki::of_platform, &Pki::of_leaf}) {
    Pki pki;
    (pki.*form).not_before = kNow - 60;
    (pki.*form).not_after = kNow + 60;
    EXPECT_EQ(outcome(pki, development(), kNow - 61), code::kQuoteValidity);
    EXPECT_EQ(outcome(pki, development(), kNow - 60), "passed");
    EXPECT_EQ(outcome(pki, development(), kNow + 60), "passed");
    EXPECT_EQ(outcome(pki, development(), kNow + 61), code::kQuoteValidity);
  }
}

TEST(DevelopmentRoot, that_is_remembered_is_held_against_time_and_policy_again) {
  Signer signer;
  signer.sign();
  const Blob quote = signer.whole_quote();
  Cache cache;
  const auto look = [&](const Policy& policy, int64_t now, const Blob& bytes) {
    return code_of(judged(signer, bytes, policy, now, &cache));
  };
  EXPECT_EQ(look(development(), kNow, quote), "passed");
  EXPECT_EQ(look(development(), kNow, quote), "passed");
  EXPECT_EQ(look(development(), certify::DevelopmentPki::kValidUntil + 1, quote),
            code::kQuoteValidity);
  EXPECT_EQ(look(development(), certify::DevelopmentPki::kValidFrom - 1, quote),
            code::kQuoteValidity);
  EXPECT_EQ(look(Policy{}, kNow, quote), code::kRootKind);
  Policy policy = development();
  policy.software_roots = {sha384(signer.attestation.public_der())};
  EXPECT_EQ(look(policy, kNow, quote), code::kRootKey);
  Blob bent = quote;
  bent.back() ^= 1;
  EXPECT_EQ(look(development(), kNow, bent), code::kQuoteChain);
}

TEST(DevelopmentRoot, whose_quote_has_another_form_is_refused) {
  Signer signer;
  signer.sign();
  const auto with = [&](std::string_view provider, Bytes report, Bytes manifest) {
    const auto quote =
        encode_hardware_quote(RootKind::kSoftware, provider, report, signer.chain, manifest);
    return code_of(judged(signer, *quote));
  };
  const Bytes report = bytes_of(signer.quote);
  EXPECT_EQ(with(kSoftwareProvider, report, {}), "passed");
  EXPECT_EQ(with("sev_guest", report, {}), code::kQuoteForm);
  EXPECT_EQ(with(kSoftwareProvider, report.first(report.size() - 1), {}), code::kQuoteForm);
  EXPECT_EQ(with(kSoftwareProvider, report, Blob(1)), code::kQuoteForm);
  const auto as_guest =
      encode_hardware_quote(RootKind::kTsm, kSoftwareProvider, report, signer.chain, {});
  EXPECT_EQ(code_of(judged(signer, *as_guest)), code::kQuoteForm) << "it is no hardware";
  EXPECT_EQ(code_of(judged(signer, report)), code::kQuoteForm) << "a report alone says no root";
}

}  // namespace
}  // namespace casemate::verify
