// SPDX-License-Identifier: Apache-2.0
#pragma once
// Authority: a P-256 key with its certificate, which issues further ones and lists of revoked
// ones, for tests of what verifies them.
//
//   Owns     its key and certificate; copies share them.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include <memory>
#include <string>
#include <vector>

#include "outside/verify/x509/certificates.h"

struct evp_pkey_st;

namespace casemate::verify::testing {

// 2020-01-01 to 2040-01-01.
inline constexpr int64_t kBegin = 1'577'836'800;
inline constexpr int64_t kEnd = 2'208'988'800;

struct ExtraExtension {
  std::string oid;
  std::vector<uint8_t> content;
  bool critical = false;
};

// What a certificate says.
struct Form {
  std::string name;  // common name
  bool authority = false;
  int path_length = -1;                                    // of an authority; -1: without limit
  std::string key_usage = "critical,keyCertSign,cRLSign";  // of an authority; empty: none
  int64_t not_before = kBegin;
  int64_t not_after = kEnd;
  std::string not_before_text{};  // where it is not empty, instead: the very characters of a time,
  std::string not_after_text{};   // which they need not be
  std::vector<ExtraExtension> extensions{};
};

class Authority final {
 public:
  // With a new key, signed by itself.
  explicit Authority(const Form& form);
  // With a new key, signed by this one.
  [[nodiscard]] Authority issue(const Form& form) const;
  // The same key in another certificate, signed by `issuer`.
  [[nodiscard]] Authority renewed(const Form& form, const Authority& issuer) const;
  // The list of `revoked`, signed by this one.
  [[nodiscard]] X509Crl list(std::vector<X509Certificate> revoked, int64_t from = kBegin,
                             int64_t to = kEnd, bool critical_extension = false) const;
  // The same with these very characters for its times; empty: as above.
  [[nodiscard]] X509Crl list_of_times(const std::string& from, const std::string& to,
                                      std::vector<X509Certificate> revoked = {}) const;
  // A certificate over somebody else's key (SPKI DER), signed by this one.
  [[nodiscard]] X509Certificate certify(Bytes key, const Form& form) const;
  // r || s over the message's SHA-256.
  [[nodiscard]] std::vector<uint8_t> sign(Bytes message) const;
  // x || y.
  [[nodiscard]] ByteArray<64> point() const;

  [[nodiscard]] const X509Certificate& certificate() const { return *certificate_; }
  [[nodiscard]] Sha384Digest key_hash() const { return sha384(certificate_->key()); }

 private:
  Authority() = default;
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<X509Certificate> certificate_;
  std::string name_;
};

// The certificate as a PEM block.
std::string pem_of(const X509Certificate& certificate);

}  // namespace casemate::verify::testing
