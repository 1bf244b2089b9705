// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>

#include "base/format.h"
#include "base/limits.h"
#include "outside/verify/x509/owned.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {
namespace {

using X509Owner = Owned<X509, X509_free>;
using KeyOwner = Owned<EVP_PKEY, EVP_PKEY_free>;
using BioOwner = Owned<BIO, BIO_free>;
using ObjectOwner = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;

// Far above a certificate that holds kEvidenceBytes.
constexpr size_t kCertificateBytes = 64 << 10;

Error refuse(std::string_view text) {
  ERR_clear_error();
  return {Code::kInvalid, std::string(text)};
}

// Appends the value of an extension that may be there once; false when it is not.
Result<bool> take_extension(const X509* certificate, const char* name, std::vector<uint8_t>& into) {
  const ObjectOwner oid(OBJ_txt2obj(name, 1));
  if (!oid) return Error{Code::kPlatform, "libcrypto has no memory for an object identifier"};
  const int at = X509_get_ext_by_OBJ(certificate, oid.get(), -1);
  if (at < 0) return false;
  if (X509_get_ext_by_OBJ(certificate, oid.get(), at) >= 0)
    return refuse(formatted("the certificate carries the extension {} twice", name));
  const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
  const auto length = static_cast<size_t>(ASN1_STRING_length(value));
  if (length + into.size() > kEvidenceBytes) {
    return Error{Code::kTooLarge, formatted("the certificate carries {} bytes of evidence, over "
                                            "the limit of {}",
                                            length + into.size(), kEvidenceBytes)};
  }
  const uint8_t* data = ASN1_STRING_get0_data(value);
  into.insert(into.end(), data, data + length);
  return true;
}

Result<Certificate> read(X509* certificate) {
  Certificate result;
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  const int size = key == nullptr ? -1 : i2d_PUBKEY(key, nullptr);
  if (size <= 0) return refuse("the certificate holds no public key that this build can read");
  result.key.resize(static_cast<size_t>(size));
  uint8_t* out = result.key.data();
  i2d_PUBKEY(key, &out);

  const bool quoted = TRY(take_extension(certificate, kEvidenceOid, result.evidence));
  if (TRY(take_extension(certificate, kTokensOid, result.evidence)) && !quoted)
    return refuse("the certificate carries tokens and no evidence that they belong to");
  return result;
}

}  // namespace

Result<Certificate> read_certificate(Bytes der) {
  if (der.size() > kCertificateBytes) return refuse("the certificate is larger than 64 KiB");
  const uint8_t* at = der.data();
  const X509Owner certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate || at != der.data() + der.size())
    return refuse("this is no X.509 certificate in DER form");
  return read(certificate.get());
}

Result<Certificate> read_certificate_pem(std::string_view pem) {
  if (pem.size() > 2 * kCertificateBytes) return refuse("the PEM file is larger than 128 KiB");
  const BioOwner bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const X509Owner certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return refuse("this is no X.509 certificate in PEM form");
  return read(certificate.get());
}

Status check_p256_key(Bytes der) {
  const uint8_t* at = der.data();
  const KeyOwner key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  std::array<char, 32> group{};
  size_t length = 0;
  if (!key || at != der.data() + der.size() || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_EC ||
      EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &length) != 1 ||
      std::string_view(group.data(), length) != "prime256v1") {
    return refuse("the key is not a P-256 key in SubjectPublicKeyInfo form");
  }
  return {};
}

}  // namespace casemate::verify
