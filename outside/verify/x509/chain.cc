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

// Beyond what any vendor uses; checking a signature by a longer one takes its sender's time.
constexpr int kKeyBits = 4096;

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
  const bool good = key != nullptr && EVP_PKEY_get_bits(key) <= kKeyBits &&
                    X509_NAME_cmp(X509_get_issuer_name(certificate.native()),
                                  X509_get_subject_name(issuer.native())) == 0 &&
                    X509_verify(certificate.native(), key) == 1;
  ERR_clear_error();
  return good;
}

// What is read here or says nothing of whether a chain holds. Constraints of names and policies
// are not enforced, so a certificate that insists on them is refused.
bool understood(X509_EXTENSION* extension) {
  constexpr std::array kKinds = {NID_basic_constraints,      NID_key_usage,
                                 NID_ext_key_usage,          NID_subject_alt_name,
                                 NID_certificate_policies,   NID_crl_distribution_points,
                                 NID_subject_key_identifier, NID_authority_key_identifier};
  return std::ranges::contains(kKinds, OBJ_obj2nid(X509_EXTENSION_get_object(extension)));
}

Status check_extensions(const X509Certificate& certificate, const ChainRules& rules) {
  for (int i = 0; i < X509_get_ext_count(certificate.native()); ++i) {
    X509_EXTENSION* extension = X509_get_ext(certificate.native(), i);
    if (X509_EXTENSION_get_critical(extension) == 0 || understood(extension)) continue;
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

// Its key is what is trusted. What else it says, such as until when, has to be its key's word.
Status check_anchor(const X509Certificate& anchor, const ChainRules& rules) {
  const bool root = X509_NAME_cmp(X509_get_issuer_name(anchor.native()),
                                  X509_get_subject_name(anchor.native())) == 0;
  if (!root && !rules.certified_anchors) {
    return refused(
        formatted("the certificate {} has a trusted key, and is that of no root: its "
                  "issuer is another; give the certificate that the root signed itself",
                  anchor.subject()));
  }
  if (root && !signed_by(anchor, anchor))
    return refused(formatted("the root {} is not signed by its own key", anchor.subject()));
  return {};
}

// An anchor as it should be, else one that is not, else any: so that whoever adds a certificate of
// a trusted key to the candidates hides nothing.
const X509Certificate* issuer_of(const X509Certificate& certificate,
                                 std::span<const X509Certificate> candidates,
                                 const ChainRules& rules) {
  const X509Certificate* found = nullptr;
  bool found_anchor = false;
  for (const X509Certificate& candidate : candidates) {
    if (!signed_by(certificate, candidate)) continue;
    const bool anchor = is_anchor(candidate, rules);
    if (anchor && check_anchor(candidate, rules)) return &candidate;
    if (found != nullptr && (found_anchor || !anchor)) continue;
    found = &candidate;
    found_anchor = anchor;
  }
  return found;
}

enum class Listed { kFree, kRevoked, kUnusable };

// What `crl` says of the certificate; why it says nothing, in `wrong`.
Listed look_up(const X509Crl& crl, const X509Certificate& certificate,
               const X509Certificate& issuer, int64_t now, int64_t grace, std::string& wrong) {
  EVP_PKEY* key = X509_get0_pubkey(issuer.native());
  if (key == nullptr || X509_CRL_verify(crl.native(), key) != 1) {
    ERR_clear_error();
    wrong = formatted("the revocation list of {} is not signed by it", crl.issuer());
    return Listed::kUnusable;
  }
  if ((X509_get_extension_flags(issuer.native()) & EXFLAG_KUSAGE) != 0 &&
      (X509_get_key_usage(issuer.native()) & KU_CRL_SIGN) == 0) {
    wrong = formatted("{} may not sign revocation lists", issuer.subject());
    return Listed::kUnusable;
  }
  for (int i = 0; i < X509_CRL_get_ext_count(crl.native()); ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(crl.native(), i);
    if (X509_EXTENSION_get_critical(extension) == 0) continue;
    // What a critical extension leaves out of a list, nobody here would know.
    wrong = formatted("the revocation list of {} has a critical extension", crl.issuer());
    return Listed::kUnusable;
  }
  X509_REVOKED* entry = nullptr;
  const int found = X509_CRL_get0_by_cert(crl.native(), &entry, certificate.native());
  // What was revoked once stays so: an old list is as good for that as a new one.
  if (found == 1 && now >= crl.this_update()) return Listed::kRevoked;
  const std::optional<int64_t> end = crl.next_update();
  if (crl.this_update() == INT64_MIN || (end && *end == INT64_MIN)) {
    wrong = formatted("the revocation list of {} has a time that cannot be read", crl.issuer());
    return Listed::kUnusable;
  }
  if (now < crl.this_update() || (end && now > *end && now - *end > grace)) {
    wrong = formatted("the revocation list of {} is of {} to {}, and it is {}", crl.issuer(),
                      day_of(crl.this_update()), end ? day_of(*end) : "no end", day_of(now));
    return Listed::kUnusable;
  }
  return Listed::kFree;
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
  TRY(check_anchor(chain.back(), rules));
  return chain;
}

Status check_validity(const Chain& chain, int64_t now_unix) {
  for (const X509Certificate& certificate : chain) {
    const bool readable =
        certificate.not_before() != INT64_MIN && certificate.not_after() != INT64_MIN;
    if (!readable || now_unix < certificate.not_before() || now_unix > certificate.not_after()) {
      return refused(formatted("the certificate {} is valid from {} to {}, and it is {}",
                               certificate.subject(), day_of(certificate.not_before()),
                               day_of(certificate.not_after()), day_of(now_unix)));
    }
  }
  return {};
}

Status check_revocation(const Chain& chain, std::span<const X509Crl> crls, int64_t now_unix,
                        Revocation wanted, int64_t grace_seconds) {
  Status found;
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    const X509_NAME* issuer = X509_get_subject_name(chain[i + 1].native());
    bool shown = false;
    std::string wrong;
    for (const X509Crl& crl : crls) {
      if (X509_NAME_cmp(X509_CRL_get_issuer(crl.native()), issuer) != 0) continue;
      const Listed listed = look_up(crl, chain[i], chain[i + 1], now_unix, grace_seconds, wrong);
      // A revocation counts, whatever another list says.
      if (listed == Listed::kRevoked) {
        return Error{Code::kDenied, formatted("the certificate {} was revoked by {}",
                                              chain[i].subject(), crl.issuer())};
      }
      shown = shown || listed == Listed::kFree;
    }
    if (!found || shown || (wrong.empty() && wanted == Revocation::kIfListed)) continue;
    if (!wrong.empty()) {
      found = refused(std::move(wrong));
    } else {
      found = Error{Code::kNotFound, formatted("there is no revocation list of {}, who signed {}",
                                               chain[i + 1].subject(), chain[i].subject())};
    }
  }
  return found;
}

}  // namespace casemate::verify
