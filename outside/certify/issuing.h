// SPDX-License-Identifier: Apache-2.0
#pragma once
// Issuing: what all who make X.509 certificates here have in common, on libcrypto's own types.
//
//   Owns     values.
//   Threads  one.
//   Trust    the caller has decided what a certificate may say.
//   Fails    kPlatform from libcrypto.

#include <openssl/x509.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "outside/verify/x509/owned.h"

namespace casemate::certify {

using OwnedCertificate = verify::Owned<X509, X509_free>;

// A failure of libcrypto, whose queue of errors is emptied.
Error issuing_failed(std::string_view what);

// One without extensions or signature, of version 3. `issuer` null: it is its own. `number` has 16
// bytes, of which the first bit is not used.
Result<OwnedCertificate> blank_certificate(const std::string& subject, const X509_NAME* issuer,
                                           EVP_PKEY* key, ByteArray<16> number, int64_t from,
                                           int64_t until);

struct Extension {
  int id;             // NID_...
  const char* value;  // as in a configuration file of openssl
};
Status extend(X509* certificate, X509* issuer, std::initializer_list<Extension> extensions);

// Signs with nonces of RFC 6979, so the same content and key give the same bytes; returns DER.
Result<std::vector<uint8_t>> sign_certificate(X509* certificate, EVP_PKEY* key,
                                              const EVP_MD* digest);

}  // namespace casemate::certify
