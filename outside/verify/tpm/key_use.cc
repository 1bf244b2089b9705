// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/tpm/key_use.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "outside/verify/x509/owned.h"

namespace casemate::verify {
namespace {

bool allows(const X509Certificate& certificate, uint32_t usage) {
  // Without the extension it has every bit, and none with one that libcrypto cannot read.
  const uint32_t usages = X509_get_key_usage(certificate.native());
  ERR_clear_error();
  return (usages & usage) != 0;
}

}  // namespace

bool names_key_use(const X509Certificate& certificate, const char* use) {
  const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> uses(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(certificate.native(), NID_ext_key_usage, nullptr, nullptr)));
  const Owned<ASN1_OBJECT, ASN1_OBJECT_free> wanted(OBJ_txt2obj(use, 1));
  ERR_clear_error();
  for (int i = 0; uses && i < sk_ASN1_OBJECT_num(uses.get()); ++i)
    if (OBJ_cmp(sk_ASN1_OBJECT_value(uses.get(), i), wanted.get()) == 0) return true;
  return false;
}

bool restricts_key_use(const X509Certificate& certificate) {
  return X509_get_ext_by_NID(certificate.native(), NID_ext_key_usage, -1) >= 0;
}

bool may_sign(const X509Certificate& certificate) {
  return allows(certificate, KU_DIGITAL_SIGNATURE);
}

bool may_encipher_keys(const X509Certificate& certificate) {
  return allows(certificate, KU_KEY_ENCIPHERMENT);
}

}  // namespace casemate::verify
