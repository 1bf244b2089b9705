// SPDX-License-Identifier: Apache-2.0
#pragma once
// Issuer: makes X.509 certificates and revocation lists as vendors would, for tests and fuzzing:
// with keys of our own, and whatever names, times and extensions a test wants to bend.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"

namespace casemate::verify::testing {

struct CertificateForm {
  std::string name;    // the subject's common name
  std::string issuer;  // the issuer's
  bool authority = false;
  int64_t not_before = 1'700'000'000;
  int64_t not_after = 2'000'000'000;
  long serial = 0;
  // By OID: the content of each, not critical.
  std::vector<std::pair<std::string, std::vector<uint8_t>>> extensions{};
};

// DER, over `key`, signed by `issuer_key`.
std::vector<uint8_t> issue(const CertificateForm& form, const SigningKey& key,
                           const SigningKey& issuer_key);

// A revocation list of `issuer`, which names `serials`.
std::vector<uint8_t> issue_crl(std::string_view issuer, const SigningKey& issuer_key,
                               const std::vector<long>& serials,
                               int64_t this_update = 1'700'000'000,
                               int64_t next_update = 2'000'000'000);

// The private key as PKCS #8 in PEM, as `openssl genpkey` writes it.
std::string pem_of(const SigningKey& key);

}  // namespace casemate::verify::testing
