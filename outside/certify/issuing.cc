// SPDX-License-Identifier: Apache-2.0
#include "outside/certify/issuing.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509v3.h>

#include "base/format.h"

namespace casemate::certify {

Error issuing_failed(std::string_view what) {
  ERR_clear_error();
  return {Code::kPlatform, formatted("libcrypto failed at {}", what)};
}

Result<OwnedCertificate> blank_certificate(const std::string& subject, const X509_NAME* issuer,
                                           EVP_PKEY* key, ByteArray<16> number, int64_t from,
                                           int64_t until) {
  OwnedCertificate made(X509_new());
  number[0] &= 0x7F;
  const verify::Owned<BIGNUM, BN_free> serial(
      BN_bin2bn(number.data(), static_cast<int>(number.size()), nullptr));
  X509_NAME* name = X509_get_subject_name(made.get());
  const Bytes text = bytes_of(std::string_view(subject));
  if (X509_set_version(made.get(), X509_VERSION_3) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get())) == nullptr ||
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text.data(),
                                 static_cast<int>(text.size()), -1, 0) != 1 ||
      X509_set_issuer_name(made.get(), issuer != nullptr ? issuer : name) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(made.get()), from) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(made.get()), until) == nullptr ||
      X509_set_pubkey(made.get(), key) != 1)
    return issuing_failed("making a certificate");
  return made;
}

Status extend(X509* certificate, X509* issuer, std::initializer_list<Extension> extensions) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const auto& [id, value] : extensions) {
    const verify::Owned<X509_EXTENSION, X509_EXTENSION_free> made(
        X509V3_EXT_conf_nid(nullptr, &context, id, value));
    if (!made || X509_add_ext(certificate, made.get(), -1) != 1)
      return issuing_failed("an extension");
  }
  return {};
}

Result<std::vector<uint8_t>> sign_certificate(X509* certificate, EVP_PKEY* key,
                                              const EVP_MD* digest) {
  const verify::Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* signing = nullptr;  // a part of the context
  unsigned int deterministic = 1;
  const OSSL_PARAM nonces[] = {
      OSSL_PARAM_construct_uint(OSSL_SIGNATURE_PARAM_NONCE_TYPE, &deterministic), OSSL_PARAM_END};
  if (EVP_DigestSignInit(context.get(), &signing, digest, nullptr, key) != 1 ||
      EVP_PKEY_CTX_set_params(signing, nonces) != 1 ||
      X509_sign_ctx(certificate, context.get()) <= 0)
    return issuing_failed("signing");
  std::vector<uint8_t> der(static_cast<size_t>(i2d_X509(certificate, nullptr)));
  uint8_t* out = der.data();
  i2d_X509(certificate, &out);
  return der;
}

}  // namespace casemate::certify
