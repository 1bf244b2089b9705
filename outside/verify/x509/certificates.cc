// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/x509/certificates.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/x509/owned.h"

namespace casemate::verify {
namespace {

constexpr size_t kObjectBytes = 1 << 20;  // Intel's lists of revoked keys have tens of kilobytes
constexpr size_t kPemBlocks = 64;

using Bio = Owned<BIO, BIO_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Oid = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;
using Number = Owned<BIGNUM, BN_free>;
using EcdsaSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

Error broken(std::string text) {
  ERR_clear_error();
  return {Code::kInvalid, std::move(text)};
}

int64_t unix_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return INT64_MIN;
  return ::timegm(&parts);
}

std::string name_text(const X509_NAME* name) {
  const Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return printable(std::string_view(text, static_cast<size_t>(std::max(size, 0L))), 200);
}

template <class T>
std::vector<uint8_t> encoded(int (*encode)(const T*, uint8_t**), const T* object) {
  const int size = encode(object, nullptr);
  std::vector<uint8_t> der(static_cast<size_t>(std::max(size, 0)));
  uint8_t* out = der.data();
  if (size > 0) encode(object, &out);
  return der;
}

// Bodies of the PEM blocks whose label is one of `labels`.
Result<std::vector<std::vector<uint8_t>>> pem_blocks(
    std::string_view pem, std::initializer_list<std::string_view> labels) {
  if (pem.size() > 4 * kObjectBytes) return broken("the PEM text is larger than 4 MiB");
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<std::vector<uint8_t>> blocks;
  for (;;) {
    char* label = nullptr;
    char* header = nullptr;
    uint8_t* data = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &label, &header, &data, &size) != 1) break;
    if (std::ranges::contains(labels, std::string_view(label)))
      blocks.emplace_back(data, data + size);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(data);
    if (blocks.size() > kPemBlocks)
      return broken(formatted("the PEM text holds more than {} blocks", kPemBlocks));
  }
  const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!end) return broken("the PEM text holds a block that is broken");
  return blocks;
}

Result<Key> read_key(Bytes der) {
  const uint8_t* at = der.data();
  Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key || at != der.data() + der.size())
    return broken("this is no public key in SubjectPublicKeyInfo form");
  return key;
}

// r || s, each half of the whole and big-endian, as DER.
Result<std::vector<uint8_t>> der_of_raw(Bytes raw) {
  const size_t half = raw.size() / 2;
  if (raw.size() % 2 != 0 || half < 32 || half > 66)
    return broken(formatted("a signature of {} bytes is no pair of numbers", raw.size()));
  const EcdsaSignature signature(ECDSA_SIG_new());
  Number r(BN_bin2bn(raw.data(), static_cast<int>(half), nullptr));
  Number s(BN_bin2bn(raw.data() + half, static_cast<int>(half), nullptr));
  ECDSA_SIG_set0(signature.get(), r.release(), s.release());
  return encoded<ECDSA_SIG>(i2d_ECDSA_SIG, signature.get());
}

}  // namespace

X509Certificate::X509Certificate(X509* object) : object_(object, X509_free) {}

Result<X509Certificate> X509Certificate::from_der(Bytes der) {
  if (der.size() > kObjectBytes) return broken("the certificate is larger than 1 MiB");
  const uint8_t* at = der.data();
  X509* object = d2i_X509(nullptr, &at, static_cast<long>(der.size()));
  if (object == nullptr) return broken("this is no X.509 certificate in DER form");
  X509Certificate certificate(object);
  if (at != der.data() + der.size())
    return broken(formatted("the certificate is followed by {} bytes that do not belong to it",
                            der.data() + der.size() - at));
  return certificate;
}

std::string X509Certificate::subject() const {
  return name_text(X509_get_subject_name(object_.get()));
}

std::string X509Certificate::issuer() const {
  return name_text(X509_get_issuer_name(object_.get()));
}

std::vector<uint8_t> X509Certificate::key() const {
  const EVP_PKEY* key = X509_get0_pubkey(object_.get());
  ERR_clear_error();
  return key == nullptr ? std::vector<uint8_t>{} : encoded<EVP_PKEY>(i2d_PUBKEY, key);
}

std::vector<uint8_t> X509Certificate::der() const { return encoded<X509>(i2d_X509, object_.get()); }

Result<std::optional<std::vector<uint8_t>>> X509Certificate::extension(std::string_view oid) const {
  const Oid object(OBJ_txt2obj(std::string(oid).c_str(), 1));
  const int at = X509_get_ext_by_OBJ(object_.get(), object.get(), -1);
  if (at < 0) return std::optional<std::vector<uint8_t>>();
  if (X509_get_ext_by_OBJ(object_.get(), object.get(), at) >= 0)
    return broken(formatted("the certificate {} has the extension {} twice", subject(), oid));
  const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(X509_get_ext(object_.get(), at));
  const uint8_t* data = ASN1_STRING_get0_data(value);
  return std::optional(std::vector<uint8_t>(data, data + ASN1_STRING_length(value)));
}

int64_t X509Certificate::not_before() const {
  return unix_time(X509_get0_notBefore(object_.get()));
}
int64_t X509Certificate::not_after() const { return unix_time(X509_get0_notAfter(object_.get())); }

X509Crl::X509Crl(X509_CRL* object) : object_(object, X509_CRL_free) {}

Result<X509Crl> X509Crl::from_der(Bytes der) {
  if (der.size() > kObjectBytes) return broken("the revocation list is larger than 1 MiB");
  const uint8_t* at = der.data();
  X509_CRL* object = d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size()));
  if (object == nullptr) return broken("this is no X.509 revocation list in DER form");
  X509Crl crl(object);
  if (at != der.data() + der.size())
    return broken(formatted("the revocation list is followed by {} bytes that do not belong to it",
                            der.data() + der.size() - at));
  return crl;
}

std::string X509Crl::issuer() const { return name_text(X509_CRL_get_issuer(object_.get())); }
int64_t X509Crl::this_update() const { return unix_time(X509_CRL_get0_lastUpdate(object_.get())); }
std::optional<int64_t> X509Crl::next_update() const {
  const ASN1_TIME* time = X509_CRL_get0_nextUpdate(object_.get());
  return time == nullptr ? std::nullopt : std::optional(unix_time(time));
}

bool is_pem(Bytes file) {
  const std::string_view text = text_of(file);
  const size_t mark = text.find("-----BEGIN CERTIFICATE-----");
  return mark != std::string_view::npos && !text.substr(0, mark).contains('\0');
}

Result<std::vector<X509Certificate>> certificates_in_pem(std::string_view pem) {
  std::vector<X509Certificate> found;
  for (const auto& der : TRY(pem_blocks(pem, {"CERTIFICATE", "X509 CERTIFICATE"})))
    found.push_back(TRY(X509Certificate::from_der(der)));
  return found;
}

Result<std::vector<X509Crl>> crls_in_pem(std::string_view pem) {
  std::vector<X509Crl> found;
  for (const auto& der : TRY(pem_blocks(pem, {"X509 CRL"})))
    found.push_back(TRY(X509Crl::from_der(der)));
  return found;
}

Status check_signature(Bytes key, std::string_view digest, Bytes message, Bytes signature,
                       bool raw) {
  const Key parsed = TRY(read_key(key));
  std::vector<uint8_t> der(signature.begin(), signature.end());
  if (raw) der = TRY(der_of_raw(signature));
  const EVP_MD* method = EVP_get_digestbyname(std::string(digest).c_str());
  const DigestContext context(EVP_MD_CTX_new());
  const bool good =
      method != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, method, nullptr, parsed.get()) == 1 &&
      EVP_DigestVerify(context.get(), der.data(), der.size(), message.data(), message.size()) == 1;
  if (!good) return broken("the signature does not match");
  return {};
}

Result<std::vector<uint8_t>> key_of_point(std::string_view curve, Bytes x, Bytes y) {
  const int id = EC_curve_nist2nid(std::string(curve).c_str());
  const size_t size = curve == "P-256" ? 32 : curve == "P-384" ? 48 : 66;
  if (id == NID_undef || x.size() != size || y.size() != size)
    return broken(formatted("a point of {} and {} bytes is none of {}", x.size(), y.size(), curve));
  std::vector<uint8_t> point = {4};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  // A SubjectPublicKeyInfo is made of the curve's parameters; the point is checked when it is read.
  Key key(EVP_PKEY_new());
  const std::string name(curve);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  OSSL_PARAM parameters[] = {
      // NOLINT
      OSSL_PARAM_construct_utf8_string("group", const_cast<char*>(name.c_str()), 0),
      OSSL_PARAM_construct_octet_string("pub", point.data(), point.size()), OSSL_PARAM_END};
  EVP_PKEY* made = nullptr;
  const bool good = EVP_PKEY_fromdata_init(context) == 1 &&
                    EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
  EVP_PKEY_CTX_free(context);
  key.reset(made);
  if (!good) return broken(formatted("the key is no point on the curve {}", curve));
  return encoded<EVP_PKEY>(i2d_PUBKEY, key.get());
}

}  // namespace casemate::verify
