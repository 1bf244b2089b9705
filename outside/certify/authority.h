// SPDX-License-Identifier: Apache-2.0
#pragma once
// Authority: who certifies keys of machines, with a key and a certificate of its own. It runs where
// its owner trusts the machine, off line if he likes.
//
//   Owns     its key.
//   Threads  one.
//   Trust    its key is a file that only its owner can read; the caller has decided whom to
//            certify.
//   Fails    kInvalid and kDenied for its files, with what is wrong; kPlatform from libcrypto.

#include <string>

#include "outside/verify/x509/certificates.h"

namespace casemate::certify {

class Authority final {
 public:
  static constexpr int64_t kYears = 10;  // of its own certificate

  // A new key on P-384 and a certificate that it signs itself, into two PEM files that must not
  // exist.
  static Status found(const std::string& name, const std::string& key_path,
                      const std::string& certificate_path, int64_t now_unix);
  static Result<Authority> open(const std::string& key_path, const std::string& certificate_path);

  // DER: `subject`'s key is an attestation key (extended key usage 2.23.133.8.3), until
  // `until_unix`.
  Result<std::vector<uint8_t>> certify(Bytes spki, const std::string& subject, int64_t now_unix,
                                       int64_t until_unix) const;
  [[nodiscard]] const verify::X509Certificate& certificate() const { return certificate_; }

 private:
  Authority(SigningKey key, verify::X509Certificate certificate)
      : key_(std::move(key)), certificate_(std::move(certificate)) {}
  SigningKey key_;
  verify::X509Certificate certificate_;
};

}  // namespace casemate::certify
