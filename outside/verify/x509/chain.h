// SPDX-License-Identifier: Apache-2.0
#pragma once
// Chains of certificates, from a leaf to a trust anchor, at a given time (RFC 5280, section 6, the
// part that vendors' attestation certificates use: no names, policies or constraints beyond the
// length).
//
// Three questions, since a verdict answers them apart: who signed whom, was it valid then, was it
// revoked.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    every certificate may be hostile but the anchors, which the caller names by their
//            keys.
//   Fails    kInvalid with the certificate's subject and what is wrong with it.

#include <span>
#include <vector>

#include "outside/verify/x509/certificates.h"

namespace casemate::verify {

// Leaf first, anchor last.
using Chain = std::vector<X509Certificate>;

struct ChainRules {
  // SHA-384 of the SPKI DER of each anchor that may end the chain.
  std::vector<Sha384Digest> anchors;
  // Critical extensions that the caller reads himself, as OIDs. Others that are unknown are
  // refused.
  std::vector<std::string_view> known_critical;
  size_t length_max = 6;
  // An anchor may be certified by somebody else, who is not asked: an authority below a root that
  // the rules do not name. What its certificate says beside the key, such as until when, is then
  // the word of whoever shows it.
  bool certified_anchors = false;
};

// The chain of `leaf` over `candidates` (any order, any content) to an anchor: each signed by the
// next, which is a CA that may sign certificates. An anchor must be among the candidates, since a
// hash of its key cannot check a signature; it is a root, signed by its own key.
Result<Chain> chain_of(const X509Certificate& leaf, std::span<const X509Certificate> candidates,
                       const ChainRules& rules);

// Succeeds when all certificates of the chain are valid at `now_unix`.
Status check_validity(const Chain& chain, int64_t now_unix);

enum class Revocation {
  kIfListed,    // a list that is there must be right, and must not name the certificate
  kMustBeShown  // and there must be one for every certificate below the anchor
};
// Looks for each certificate below the anchor in its issuer's lists among `crls`: signed by the
// issuer and in force at `now_unix`, or over for at most `grace_seconds`. A revocation counts in
// any list that the issuer signed, and before anything else that is wrong. Fails with kDenied where
// a certificate was revoked, with kNotFound where an issuer's list is missing, and with kInvalid
// where the list that is there is out of date, or not its issuer's: each is another's to mend.
Status check_revocation(const Chain& chain, std::span<const X509Crl> crls, int64_t now_unix,
                        Revocation wanted, int64_t grace_seconds = 0);

}  // namespace casemate::verify
