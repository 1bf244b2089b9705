// SPDX-License-Identifier: Apache-2.0
#pragma once
// Certifying a TPM's attestation key: an endorsement key signs nothing, so the authority encrypts
// the certificate that it has made, so that only the TPM with that endorsement key can read it, and
// only while it holds that attestation key. Who gets to use the certificate has shown that he has
// both.
//
//   machine --request--> authority    the endorsement key's certificate, and the attestation key
//   machine <--grant---- authority    the encrypted certificate, and its key as a TPM credential
//
//   Owns     values.
//   Threads  pure functions, but for the random numbers.
//   Trust    a request may be hostile: the endorsement key is believed only for its maker's
//            certificate, and the attestation key only once its TPM has opened the grant.
//   Fails    kInvalid and kDenied with what is wrong with the request, and what to do.

#include "base/clock.h"
#include "outside/certify/authority.h"
#include "outside/verify/collateral/collateral.h"

namespace casemate::certify {

// Whom an authority believes, and how long.
struct TpmTerms {
  // The certificates of TPM makers: every one of them is trusted to name endorsement keys.
  verify::Collateral makers;
  int64_t now_unix = 0;
  int64_t days = 365;
};

struct TpmGrant {
  std::vector<uint8_t> bytes;     // for the machine
  std::vector<uint8_t> key_hash;  // SHA-384 of TPMT_PUBLIC, as policies name the key
  std::string maker;              // who vouches for the TPM
};

// `request` as make_request() has it (endorsement.h).
Result<TpmGrant> certify_tpm(Bytes request, const Authority& authority, const TpmTerms& terms,
                             Random& random);

// The parts of a grant: the credential, which the TPM turns into a secret, and what the secret
// opens.
struct TpmGrantParts {
  Bytes credential;
  Bytes sealed;
};
Result<TpmGrantParts> read_grant(Bytes grant);
// The certificate, DER.
Result<std::vector<uint8_t>> open_grant(const TpmGrantParts& parts, Bytes secret);

}  // namespace casemate::certify
