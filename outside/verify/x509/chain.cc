// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/x509/chain.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/format.h"

namespace casemate::verify {
namespace {

Error refused(std::string text) {
  ERR_clear_error();
  return {Code::kInvalid, std::move(text)};
}

std::string day_of(int64_t unix_seconds) {
  if (unix_seconds == INT64_MIN) return "a time that cannot be read";
  return formatted("{:%FT%TZ}", std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)));
}

bool is_anchor(const X509Certificate& certificate, const ChainRules& rules) {
  const std::vector<uint8_t> key = certificate.key();
  return !key.empty() && std::ranges::contains(rules.anchors, sha384(key));
}

bool signed_by(const X509Certificate& certificate, const X509Certificate& issuer) {
  EVP_PKEY* key = X509_get0_pubkey(issuer.native());
  const bool good = key != nullptr &&
                    X509_NAME_cmp(X509_get_issuer_name(certificate.native()),
                                  X509_get_subject_name(issuer.native())) == 0 &&
                    X509_verify(certificate.native(), key) == 1;
  ERR_clear_error();
  return good;
}

// Extensions that libcrypto reads are its own to judge; X509_supported_extension() knows which.
Status check_extensions(const X509Certificate& certificate, const ChainRules& rules) {
  for (int i = 0; i < X509_get_ext_count(certificate.native()); ++i) {
    X509_EXTENSION* extension = X509_get_ext(certificate.native(), i);
    if (X509_EXTENSION_get_critical(extension) == 0 || X509_supported_extension(extension) != 0)
      continue;
    std::array<char, 128> oid{};
    OBJ_obj2txt(oid.data(), oid.size(), X509_EXTENSION_get_object(extension), 1);
    if (!std::ranges::contains(rules.known_critical, std::string_view(oid.data()))) {
      return refused(formatted("the certificate {} has a critical extension {} that is not known",
                               certificate.subject(), oid.data()));
    }
  }
  if ((X509_get_extension_flags(certificate.native()) & EXFLAG_INVALID) != 0)
    return refused(formatted("the certificate {} has extensions that contradict themselves",
                             certificate.subject()));
  return {};
}

// `below` certificates that are no leaf stand under it.
Status check_issuer(const X509Certificate& issuer, size_t below) {
  const uint32_t flags = X509_get_extension_flags(issuer.native());
  const uint32_t usage = X509_get_key_usage(issuer.native());
  if ((flags & EXFLAG_CA) == 0 || (usage & KU_KEY_CERT_SIGN) == 0)
    return refused(formatted("{} signed a certificate, but is no authority", issuer.subject()));
  const long depth = X509_get_pathlen(issuer.native());
  if (depth >= 0 && static_cast<size_t>(depth) < below) {
    return refused(formatted("{} allows {} authorities below it, and there are {}",
                             issuer.subject(), depth, below));
  }
  return {};
}

const X509Certificate* issuer_of(const X509Certificate& certificate,
                                 std::span<const X509Certificate> candidates,
                                 const ChainRules& rules) {
  const X509Certificate* found = nullptr;
  for (const X509Certificate& candidate : candidates) {
    if (!signed_by(certificate, candidate)) continue;
    if (is_anchor(candidate, rules)) return &candidate;
    if (found == nullptr) found = &candidate;
  }
  return found;
}

Status check_listed(const X509Crl& crl, const X509Certificate& certificate,
                    const X509Certificate& issuer, int64_t now) {
  EVP_PKEY* key = X509_get0_pubkey(issuer.native());
  if (key == nullptr || X509_CRL_verify(crl.native(), key) != 1)
    return refused(formatted("the revocation list of {} is not signed by it", crl.issuer()));
  if (now < crl.this_update() || now > crl.next_update().value_or(INT64_MAX)) {
    return refused(formatted("the revocation list of {} is of {} to {}, and it is {}", crl.issuer(),
                             day_of(crl.this_update()),
                             crl.next_update() ? day_of(*crl.next_update()) : "no end",
                             day_of(now)));
  }
  X509_REVOKED* entry = nullptr;
  if (X509_CRL_get0_by_cert(crl.native(), &entry, certificate.native()) != 0)
    return refused(
        formatted("the certificate {} was revoked by {}", certificate.subject(), crl.issuer()));
  return {};
}

}  // namespace

Result<Chain> chain_of(const X509Certificate& leaf, std::span<const X509Certificate> candidates,
                       const ChainRules& rules) {
  Chain chain = {leaf};
  TRY(check_extensions(leaf, rules));
  while (!is_anchor(chain.back(), rules)) {
    const X509Certificate* issuer = issuer_of(chain.back(), candidates, rules);
    if (issuer == nullptr || signed_by(chain.back(), chain.back())) {
      return refused(
          formatted("nothing that is trusted signed the certificate {}: its chain ends there",
                    chain.back().subject()));
    }
    if (chain.size() >= rules.length_max)
      return refused(formatted("the chain of {} has more than {} certificates", leaf.subject(),
                               rules.length_max));
    TRY(check_extensions(*issuer, rules));
    TRY(check_issuer(*issuer, chain.size() - 1));
    chain.push_back(*issuer);
  }
  return chain;
}

Status check_validity(const Chain& chain, int64_t now_unix) {
  for (const X509Certificate& certificate : chain) {
    if (now_unix < certificate.not_before() || now_unix > certificate.not_after()) {
      return refused(formatted("the certificate {} is valid from {} to {}, and it is {}",
                               certificate.subject(), day_of(certificate.not_before()),
                               day_of(certificate.not_after()), day_of(now_unix)));
    }
  }
  return {};
}

Status check_revocation(const Chain& chain, std::span<const X509Crl> crls, int64_t now_unix,
                        Revocation wanted) {
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    const X509_NAME* issuer = X509_get_subject_name(chain[i + 1].native());
    Status last = wanted == Revocation::kIfListed
                      ? Status()
                      : refused(formatted("there is no revocation list of {}, who signed {}",
                                          chain[i + 1].subject(), chain[i].subject()));
    for (const X509Crl& crl : crls) {
      if (X509_NAME_cmp(X509_CRL_get_issuer(crl.native()), issuer) != 0) continue;
      last = check_listed(crl, chain[i], chain[i + 1], now_unix);
      if (last) break;
      // A revocation counts, whatever another list says; an old list beside a new one does not matter.
      if (last.error().text.contains("was revoked")) return last;
    }
    if (!last) return last;
  }
  return {};
}

}  // namespace casemate::verify
