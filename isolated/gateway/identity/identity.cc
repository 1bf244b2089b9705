// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/identity/identity.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>

#include "base/format.h"
#include "base/limits.h"
#include "base/log.h"
#include "wire/evidence/evidence.h"

namespace casemate::gateway {
namespace {

constexpr std::string_view kCommonName = "casemate gateway";
// Clocks of clients run late; five minutes is what Kerberos allows them.
constexpr int64_t kEarly = 5 * 60;
// Evidence is renewed far more often; 90 days is what public authorities give at most today.
constexpr int64_t kValid = 90 * 24 * 3600;
constexpr size_t kNamesMax = 64;

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION, X509_EXTENSION_free>>;
using Object = std::unique_ptr<ASN1_OBJECT, Freed<ASN1_OBJECT, ASN1_OBJECT_free>>;
using Octets = std::unique_ptr<ASN1_OCTET_STRING, Freed<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES, GENERAL_NAMES_free>>;
using Name = std::unique_ptr<GENERAL_NAME, Freed<GENERAL_NAME, GENERAL_NAME_free>>;

Error library_error(std::string_view what) {
  char text[160];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  return {Code::kPlatform, formatted("making the certificate: {}: {}", what, text)};
}

bool dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || name.starts_with('.') || name.starts_with('-'))
    return false;
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
             "*_") == name.npos;
}

// 16 random bytes with the top bit clear: positive, and within the 20 octets of RFC 5280.
Status set_serial(X509* certificate, Random& random) {
  ByteArray<16> serial{};
  random.fill(serial);
  serial[0] = static_cast<uint8_t>((serial[0] & 0x7F) | 0x40);
  BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
  const bool set = number != nullptr &&
                   BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  if (!set) return library_error("serial number");
  return {};
}

Result<Name> general_name(const std::string& text) {
  Name name(GENERAL_NAME_new());
  if (!name) return library_error("subject alternative name");
  if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(text.c_str())) {
    GENERAL_NAME_set0_value(name.get(), GEN_IPADD, address);
    return name;
  }
  ERR_clear_error();
  if (!dns_name(text))
    return Error{Code::kInvalid, formatted("'{}' is neither a DNS name nor an IP address; the "
                                           "gateway's names are",
                                           printable(text, 64))};
  ASN1_IA5STRING* dns = ASN1_IA5STRING_new();
  if (dns == nullptr || ASN1_STRING_set(dns, text.data(), static_cast<int>(text.size())) != 1) {
    ASN1_IA5STRING_free(dns);
    return library_error("subject alternative name");
  }
  GENERAL_NAME_set0_value(name.get(), GEN_DNS, dns);
  return name;
}

Status add_names(X509* certificate, std::span<const std::string> names) {
  if (names.size() > kNamesMax)
    return Error{Code::kInvalid, formatted("a gateway has at most {} names", kNamesMax)};
  if (names.empty()) return {};
  const Names list(GENERAL_NAMES_new());
  if (!list) return library_error("subject alternative names");
  for (const std::string& text : names) {
    Name name = TRY(general_name(text));
    if (sk_GENERAL_NAME_push(list.get(), name.get()) <= 0)
      return library_error("subject alternative names");
    (void)name.release();
  }
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, X509V3_ADD_DEFAULT) != 1)
    return library_error("subject alternative names");
  return {};
}

Status add_known(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
    return library_error("extension");
  return {};
}

Status add_octets(X509* certificate, const char* name, Bytes octets) {
  if (octets.empty()) return {};
  const Object oid(OBJ_txt2obj(name, 1));
  const Octets value(ASN1_OCTET_STRING_new());
  if (!oid || !value ||
      ASN1_OCTET_STRING_set(value.get(), octets.data(), static_cast<int>(octets.size())) != 1)
    return library_error("evidence");
  const Extension extension(X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), 0, value.get()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
    return library_error("evidence");
  return {};
}

Status add_evidence(X509* certificate, const CarriedEvidence& evidence) {
  const size_t size = evidence.quote.size() + evidence.tokens.size();
  if (size > kEvidenceBytes)
    return Error{Code::kInvalid,
                 formatted("the evidence has {} bytes, the limit is {}", size, kEvidenceBytes)};
  TRY(add_octets(certificate, kEvidenceOid, evidence.quote));
  return add_octets(certificate, kTokensOid, evidence.tokens);
}

Status set_fields(X509* certificate, const TlsKey& key, const Clock& clock) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* name =
      static_cast<const unsigned char*>(static_cast<const void*>(kCommonName.data()));
  const int64_t now = clock.unix_seconds();
  const bool set = X509_set_version(certificate, X509_VERSION_3) == 1 &&
                   X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, name,
                                              static_cast<int>(kCommonName.size()), -1, 0) == 1 &&
                   X509_set_issuer_name(certificate, subject) == 1 &&
                   ASN1_TIME_set(X509_getm_notBefore(certificate), now - kEarly) != nullptr &&
                   ASN1_TIME_set(X509_getm_notAfter(certificate), now + kValid) != nullptr &&
                   X509_set_pubkey(certificate, key.native()) == 1;
  if (!set) return library_error("fields");
  return {};
}

}  // namespace

Result<std::vector<uint8_t>> make_certificate(const TlsKey& key, std::span<const std::string> names,
                                              const CarriedEvidence& evidence, const Clock& clock,
                                              Random& random) {
  const Certificate certificate(X509_new());
  if (!certificate) return library_error("memory");
  TRY(set_serial(certificate.get(), random));
  TRY(set_fields(certificate.get(), key, clock));
  TRY(add_known(certificate.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TRY(add_known(certificate.get(), NID_key_usage, "critical,digitalSignature"));
  TRY(add_known(certificate.get(), NID_ext_key_usage, "serverAuth"));
  TRY(add_known(certificate.get(), NID_subject_key_identifier, "hash"));
  TRY(add_names(certificate.get(), names));
  TRY(add_evidence(certificate.get(), evidence));
  if (X509_sign(certificate.get(), key.native(), EVP_sha256()) <= 0)
    return library_error("signing");
  unsigned char* encoded = nullptr;
  const int size = i2d_X509(certificate.get(), &encoded);
  if (size <= 0) return library_error("encoding");
  std::vector<uint8_t> der(encoded, encoded + size);
  OPENSSL_free(encoded);
  return der;
}

}  // namespace casemate::gateway
