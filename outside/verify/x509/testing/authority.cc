// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/x509/testing/authority.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/check.h"
#include "outside/verify/x509/owned.h"

namespace casemate::verify::testing {
namespace {

std::shared_ptr<EVP_PKEY> new_key() {
  std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  CHECK(key != nullptr, "libcrypto makes keys");
  return key;
}

void name(X509_NAME* into, const std::string& text) {
  X509_NAME_add_entry_by_NID(into, NID_commonName, MBSTRING_ASC,
                             bytes_of(std::string_view(text)).data(), static_cast<int>(text.size()),
                             -1, 0);
}

void add_standard(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void add_extra(X509* certificate, const ExtraExtension& extra) {
  ASN1_OBJECT* oid = OBJ_txt2obj(extra.oid.c_str(), 1);
  ASN1_OCTET_STRING* content = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(content, extra.content.data(), static_cast<int>(extra.content.size()));
  X509_EXTENSION* extension =
      X509_EXTENSION_create_by_OBJ(nullptr, oid, extra.critical ? 1 : 0, content);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(content);
  ASN1_OBJECT_free(oid);
}

template <class T>
std::vector<uint8_t> der_of(int (*encode)(const T*, uint8_t**), const T* object) {
  const int size = encode(object, nullptr);
  CHECK(size > 0, "libcrypto encodes what it made");
  std::vector<uint8_t> der(static_cast<size_t>(size));
  uint8_t* out = der.data();
  encode(object, &out);
  return der;
}

// Whatever it says then, its type stays that of a time.
void overwrite(ASN1_TIME* time, const std::string& text) {
  if (!text.empty()) ASN1_STRING_set(time, text.data(), static_cast<int>(text.size()));
}

X509Certificate make_signed(const Form& form, EVP_PKEY* key, const std::string& issuer,
                            EVP_PKEY* issuer_key) {
  static long serial = 1000;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  name(X509_get_subject_name(certificate.get()), form.name);
  name(X509_get_issuer_name(certificate.get()), issuer);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), form.not_before);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), form.not_after);
  overwrite(X509_getm_notBefore(certificate.get()), form.not_before_text);
  overwrite(X509_getm_notAfter(certificate.get()), form.not_after_text);
  X509_set_pubkey(certificate.get(), key);
  if (form.authority) {
    const std::string length =
        form.path_length < 0 ? "" : ",pathlen:" + std::to_string(form.path_length);
    add_standard(certificate.get(), NID_basic_constraints, ("critical,CA:TRUE" + length).c_str());
    if (!form.key_usage.empty())
      add_standard(certificate.get(), NID_key_usage, form.key_usage.c_str());
  }
  for (const ExtraExtension& extra : form.extensions) add_extra(certificate.get(), extra);
  CHECK(X509_sign(certificate.get(), issuer_key, EVP_sha256()) > 0, "libcrypto signs");
  return *X509Certificate::from_der(der_of<X509>(i2d_X509, certificate.get()));
}

using ListTime = Owned<ASN1_TIME, ASN1_TIME_free>;
ListTime time_at(int64_t unix_seconds) { return ListTime(ASN1_TIME_set(nullptr, unix_seconds)); }

struct ListTimes {
  ListTime from;
  ListTime to;
};

X509Crl signed_list(const std::vector<X509Certificate>& revoked, const ListTimes& times,
                    const std::string& issuer, EVP_PKEY* key, bool critical_extension) {
  const Owned<X509_CRL, X509_CRL_free> crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  const Owned<X509_NAME, X509_NAME_free> issuer_name(X509_NAME_new());
  name(issuer_name.get(), issuer);
  X509_CRL_set_issuer_name(crl.get(), issuer_name.get());
  X509_CRL_set1_lastUpdate(crl.get(), times.from.get());
  X509_CRL_set1_nextUpdate(crl.get(), times.to.get());
  const ListTime begin = time_at(kBegin);
  for (const X509Certificate& certificate : revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.native()));
    X509_REVOKED_set_revocationDate(entry, begin.get());
    X509_CRL_add0_revoked(crl.get(), entry);
  }
  X509_CRL_sort(crl.get());
  if (critical_extension) {
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, 1);
    X509_CRL_add1_ext_i2d(crl.get(), NID_delta_crl, number, 1, 0);
    ASN1_INTEGER_free(number);
  }
  CHECK(X509_CRL_sign(crl.get(), key, EVP_sha256()) > 0, "libcrypto signs");
  return *X509Crl::from_der(der_of<X509_CRL>(i2d_X509_CRL, crl.get()));
}

}  // namespace

Authority::Authority(const Form& form) : key_(new_key()), name_(form.name) {
  certificate_ =
      std::make_shared<X509Certificate>(make_signed(form, key_.get(), form.name, key_.get()));
}

Authority Authority::issue(const Form& form) const {
  Authority made;
  made.key_ = new_key();
  return made.renewed(form, *this);
}

Authority Authority::renewed(const Form& form, const Authority& issuer) const {
  Authority made;
  made.key_ = key_;
  made.name_ = form.name;
  made.certificate_ = std::make_shared<X509Certificate>(
      make_signed(form, key_.get(), issuer.name_, issuer.key_.get()));
  return made;
}

X509Crl Authority::list(std::vector<X509Certificate> revoked, int64_t from, int64_t to,
                        bool critical_extension) const {
  return signed_list(revoked, {.from = time_at(from), .to = time_at(to)}, name_, key_.get(),
                     critical_extension);
}

X509Crl Authority::list_of_times(const std::string& from, const std::string& to,
                                 std::vector<X509Certificate> revoked) const {
  ListTimes times{.from = time_at(kBegin), .to = time_at(kEnd)};
  overwrite(times.from.get(), from);
  overwrite(times.to.get(), to);
  return signed_list(revoked, times, name_, key_.get(), false);
}

X509Certificate Authority::certify(Bytes key, const Form& form) const {
  const uint8_t* at = key.data();
  const Owned<EVP_PKEY, EVP_PKEY_free> parsed(
      d2i_PUBKEY(nullptr, &at, static_cast<long>(key.size())));
  CHECK(parsed != nullptr, "only a key can be certified");
  return make_signed(form, parsed.get(), name_, key_.get());
}

std::vector<uint8_t> Authority::sign(Bytes message) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  size_t size = 80;
  std::vector<uint8_t> der(size);
  CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
            EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()) == 1,
        "libcrypto signs");
  const uint8_t* at = der.data();
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)), ECDSA_SIG_free);
  std::vector<uint8_t> raw(64);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + 32, 32);
  return raw;
}

ByteArray<64> Authority::point() const {
  const std::vector<uint8_t> spki = certificate_->key();
  return load<ByteArray<64>>(Bytes(spki).last(64));
}

std::string pem_of(const X509Certificate& certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(bio.get(), certificate.native());
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

}  // namespace casemate::verify::testing
