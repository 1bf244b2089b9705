// SPDX-License-Identifier: Apache-2.0
#pragma once
// X.509 objects of vendors: certificates, revocation lists, and what verifiers ask of them.
//
//   Owns     Certificate and Crl share libcrypto's object, which is never changed.
//   Threads  as values.
//   Trust    whatever is read may be hostile; libcrypto parses it, and nothing may follow it.
//   Fails    kInvalid with what was expected.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"

struct x509_st;
struct X509_crl_st;

namespace casemate::verify {

class X509Certificate final {
 public:
  // One certificate in DER form with nothing behind it.
  static Result<X509Certificate> from_der(Bytes der);

  [[nodiscard]] x509_st* native() const { return object_.get(); }
  [[nodiscard]] std::string subject() const;       // printable, of one line
  [[nodiscard]] std::string issuer() const;        // the same
  [[nodiscard]] std::vector<uint8_t> key() const;  // SPKI DER
  [[nodiscard]] std::vector<uint8_t> der() const;
  // The content of the extension `oid` ("1.3.6.1.4.1.3704.1.2"); nothing when there is none. Fails
  // when it is there twice.
  [[nodiscard]] Result<std::optional<std::vector<uint8_t>>> extension(std::string_view oid) const;
  [[nodiscard]] int64_t not_before() const;  // Unix seconds
  [[nodiscard]] int64_t not_after() const;

 private:
  explicit X509Certificate(x509_st* object);
  std::shared_ptr<x509_st> object_;
};

class X509Crl final {
 public:
  static Result<X509Crl> from_der(Bytes der);

  [[nodiscard]] X509_crl_st* native() const { return object_.get(); }
  [[nodiscard]] std::string issuer() const;
  [[nodiscard]] int64_t this_update() const;
  [[nodiscard]] std::optional<int64_t> next_update() const;

 private:
  explicit X509Crl(X509_crl_st* object);
  std::shared_ptr<X509_crl_st> object_;
};

// Whether a file is a text with certificates in it. Evidence that is binary may have such a text
// inside, as quotes of SGX and TDX do, and is none.
bool is_pem(Bytes file);
// All certificates of a PEM text, in its order; other kinds of block are passed over. Fails for a
// block that is broken, and beyond 64 of them.
Result<std::vector<X509Certificate>> certificates_in_pem(std::string_view pem);
// The same for revocation lists.
Result<std::vector<X509Crl>> crls_in_pem(std::string_view pem);

// Succeeds when `signature` (DER, or r || s where `raw`) over `message` was made with the EC or RSA
// key of SPKI `key` and the digest "SHA256", "SHA384" or "SHA512". RSA is PKCS #1 v1.5.
Status check_signature(Bytes key, std::string_view digest, Bytes message, Bytes signature,
                       bool raw);

// The SPKI DER of a point on "P-256", "P-384" or "P-521", its coordinates big-endian. Fails for
// one that is not on the curve.
Result<std::vector<uint8_t>> key_of_point(std::string_view curve, Bytes x, Bytes y);

}  // namespace casemate::verify
