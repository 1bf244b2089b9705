// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a verifier needs of an X.509 certificate: its public key, and the evidence it carries in the
// extension 2.23.133.5.4.9 and, with tokens, in ours behind it. Issuer, names and dates are not
// looked at: trust comes from the evidence alone, which names the key and the time itself.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the certificate may be hostile; libcrypto parses it.
//   Fails    kInvalid for what is no certificate, carries an extension twice, or tokens without
//            evidence; kTooLarge beyond kEvidenceBytes.

#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

struct Certificate {
  std::vector<uint8_t> key;  // SPKI DER, re-encoded by libcrypto
  // The values of both extensions, one behind the other; empty when the certificate carries none.
  std::vector<uint8_t> evidence;
};

// From one DER certificate with nothing behind it.
Result<Certificate> read_certificate(Bytes der);
// From the first certificate of a PEM file.
Result<Certificate> read_certificate_pem(std::string_view pem);

// Succeeds for a P-256 public key in SubjectPublicKeyInfo DER with nothing behind it.
Status check_p256_key(Bytes der);

}  // namespace casemate::verify
