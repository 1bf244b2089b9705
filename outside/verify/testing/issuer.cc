// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/testing/issuer.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "outside/verify/x509/owned.h"

namespace casemate::verify::testing {
namespace {

using NewCertificate = Owned<X509, X509_free>;
using NewCrl = Owned<X509_CRL, X509_CRL_free>;
using NewName = Owned<X509_NAME, X509_NAME_free>;
using NewExtension = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using NewOctets = Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using NewObject = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;
using NewTime = Owned<ASN1_TIME, ASN1_TIME_free>;

void must(int done) { CHECK(done == 1, "making a test certificate cannot fail"); }

NewName name_of(std::string_view common_name) {
  NewName name(X509_NAME_new());
  const std::string text(common_name);
  must(X509_NAME_add_entry_by_txt(name.get(), "CN", MBSTRING_UTF8,
                                  bytes_of(std::string_view(text)).data(),
                                  static_cast<int>(text.size()), -1, 0));
  return name;
}

void extend(X509* certificate, int id, const char* value) {
  const NewExtension extension(X509V3_EXT_conf_nid(nullptr, nullptr, id, value));
  must(X509_add_ext(certificate, extension.get(), -1));
}

void extend(X509* certificate, const std::string& oid, Bytes content) {
  const NewObject object(OBJ_txt2obj(oid.c_str(), 1));
  const NewOctets value(ASN1_OCTET_STRING_new());
  must(ASN1_OCTET_STRING_set(value.get(), content.data(), static_cast<int>(content.size())));
  const NewExtension extension(X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 0, value.get()));
  must(X509_add_ext(certificate, extension.get(), -1));
}

template <class T>
std::vector<uint8_t> der_of(int (*encode)(const T*, uint8_t**), const T* object) {
  std::vector<uint8_t> der(static_cast<size_t>(encode(object, nullptr)));
  uint8_t* at = der.data();
  encode(object, &at);
  return der;
}

}  // namespace

std::vector<uint8_t> issue(const CertificateForm& form, const SigningKey& key,
                           const SigningKey& issuer_key) {
  const NewCertificate certificate(X509_new());
  must(X509_set_version(certificate.get(), X509_VERSION_3));
  must(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), form.serial));
  const NewTime before(ASN1_TIME_set(nullptr, form.not_before));
  const NewTime after(ASN1_TIME_set(nullptr, form.not_after));
  must(X509_set1_notBefore(certificate.get(), before.get()));
  must(X509_set1_notAfter(certificate.get(), after.get()));
  must(X509_set_subject_name(certificate.get(), name_of(form.name).get()));
  must(X509_set_issuer_name(certificate.get(), name_of(form.issuer).get()));
  must(X509_set_pubkey(certificate.get(), key.native()));
  if (form.authority) {
    extend(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  for (const auto& [oid, content] : form.extensions) extend(certificate.get(), oid, content);
  CHECK(X509_sign(certificate.get(), issuer_key.native(), EVP_sha384()) > 0, "signing cannot fail");
  return der_of<X509>(i2d_X509, certificate.get());
}

std::vector<uint8_t> issue_crl(std::string_view issuer, const SigningKey& issuer_key,
                               const std::vector<long>& serials, int64_t this_update,
                               int64_t next_update) {
  const NewCrl crl(X509_CRL_new());
  must(X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2));
  must(X509_CRL_set_issuer_name(crl.get(), name_of(issuer).get()));
  const NewTime from(ASN1_TIME_set(nullptr, this_update));
  const NewTime to(ASN1_TIME_set(nullptr, next_update));
  must(X509_CRL_set1_lastUpdate(crl.get(), from.get()));
  must(X509_CRL_set1_nextUpdate(crl.get(), to.get()));
  for (const long serial : serials) {
    X509_REVOKED* entry = X509_REVOKED_new();
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    must(ASN1_INTEGER_set(number, serial));
    must(X509_REVOKED_set_serialNumber(entry, number));
    must(X509_REVOKED_set_revocationDate(entry, from.get()));
    ASN1_INTEGER_free(number);
    must(X509_CRL_add0_revoked(crl.get(), entry));
  }
  must(X509_CRL_sort(crl.get()));
  CHECK(X509_CRL_sign(crl.get(), issuer_key.native(), EVP_sha384()) > 0, "signing cannot fail");
  return der_of<X509_CRL>(i2d_X509_CRL, crl.get());
}

std::string pem_of(const SigningKey& key) {
  const Owned<BIO, BIO_free> bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.native(), nullptr, nullptr, 0, nullptr,
                                     nullptr));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

}  // namespace casemate::verify::testing
