// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/identity/identity.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "wire/evidence/evidence.h"

namespace casemate::gateway {
namespace {

struct Freed {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, Freed>;

const std::vector<std::string> kNames{"localhost", "gateway.example", "127.0.0.1", "::1"};

Certificate parse(const std::vector<uint8_t>& der) {
  const uint8_t* at = der.data();
  return Certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

struct Made {
  TlsKey key = *TlsKey::generate();
  std::vector<uint8_t> quote = {0xD9, 0xEA, 0x60, 0x80};
  std::vector<uint8_t> tokens = {0x81, 0x40};
  Result<std::vector<uint8_t>> der =
      make_certificate(key, kNames, {quote, tokens}, system_clock(), system_random());
};

TEST(Identity, the_certificate_is_its_own_and_of_its_key) {
  const Made made;
  ASSERT_TRUE(made.der) << made.der.error().text;
  const Certificate certificate = parse(*made.der);
  ASSERT_TRUE(certificate);
  EXPECT_EQ(X509_verify(certificate.get(), made.key.native()), 1);
  EXPECT_EQ(X509_get_signature_nid(certificate.get()), NID_ecdsa_with_SHA256);
  EXPECT_EQ(X509_get_version(certificate.get()), X509_VERSION_3);
  uint8_t* spki = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &spki);
  EXPECT_EQ(std::vector<uint8_t>(spki, spki + size), made.key.public_der())
      << "what the evidence commits to";
  OPENSSL_free(spki);
}

// The value of the extension, which must be there once and not critical.
std::vector<uint8_t> carried(X509* certificate, const char* name) {
  ASN1_OBJECT* oid = OBJ_txt2obj(name, 1);
  const int at = X509_get_ext_by_OBJ(certificate, oid, -1);
  EXPECT_EQ(X509_get_ext_by_OBJ(certificate, oid, at), -1);
  ASN1_OBJECT_free(oid);
  if (at < 0) return {};
  X509_EXTENSION* extension = X509_get_ext(certificate, at);
  EXPECT_EQ(X509_EXTENSION_get_critical(extension), 0);
  const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(extension);
  const uint8_t* data = ASN1_STRING_get0_data(value);
  return {data, data + ASN1_STRING_length(value)};
}

TEST(Identity, it_carries_the_evidence_unchanged_and_uncritical) {
  const Made made;
  const Certificate certificate = parse(*made.der);
  EXPECT_EQ(carried(certificate.get(), kEvidenceOid), made.quote);
  EXPECT_EQ(carried(certificate.get(), kTokensOid), made.tokens);
}

TEST(Identity, it_names_every_host_and_address) {
  const Made made;
  const Certificate certificate = parse(*made.der);
  EXPECT_EQ(X509_check_host(certificate.get(), "gateway.example", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(certificate.get(), "other.example", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "10.0.0.1", 0), 0);
}

TEST(Identity, it_is_valid_now_and_for_ninety_days) {
  const Made made;
  const Certificate certificate = parse(*made.der);
  int days = 0;
  int seconds = 0;
  ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate.get()),
                 X509_get0_notAfter(certificate.get()));
  EXPECT_EQ(days, 90);
  EXPECT_EQ(seconds, 300);
  EXPECT_LT(X509_cmp_current_time(X509_get0_notBefore(certificate.get())), 0);
}

TEST(Identity, serials_are_positive_and_differ) {
  const Made one;
  const Made other;
  const Certificate a = parse(*one.der);
  const Certificate b = parse(*other.der);
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.get()), X509_get0_serialNumber(b.get())), 0);
  EXPECT_EQ(ASN1_STRING_type(X509_get0_serialNumber(a.get())), V_ASN1_INTEGER);
  EXPECT_EQ(ASN1_STRING_length(X509_get0_serialNumber(a.get())), 16);
}

TEST(Identity, names_that_are_none_and_too_much_evidence_are_refused) {
  const TlsKey key = *TlsKey::generate();
  const auto make = [&](const std::string& name, size_t evidence) {
    const std::vector<uint8_t> bytes(evidence);
    const CarriedEvidence halves{Bytes(bytes).first(evidence / 2),
                                 Bytes(bytes).subspan(evidence / 2)};
    return make_certificate(key, {&name, 1}, halves, system_clock(), system_random()).has_value();
  };
  EXPECT_TRUE(make("a.b", 0));
  EXPECT_TRUE(make("*.example.org", kEvidenceBytes));
  EXPECT_FALSE(make("a.b", kEvidenceBytes + 1));
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a\0b", 3), std::string("-a"),
        std::string(300, 'a'), std::string("a/b"), std::string("a\nb")})
    EXPECT_FALSE(make(name, 0)) << name;
}

}  // namespace
}  // namespace casemate::gateway
