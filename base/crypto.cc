// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <utility>

#include "base/check.h"
#include "base/derive.h"
#include "base/format.h"

namespace casemate {
namespace {

Error library_error(std::string_view what) {
  std::array<char, 160> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return {Code::kPlatform, formatted("{}: {}", what, text.data())};
}

template <size_t N>
ByteArray<N> digest(const EVP_MD* algorithm, Bytes data) {
  ByteArray<N> result;
  unsigned int size = 0;
  const int done = EVP_Digest(data.data(), data.size(), result.data(), &size, algorithm, nullptr);
  CHECK(done == 1 && size == N, "hashing memory cannot fail");
  return result;
}

struct SignatureFree {
  void operator()(ECDSA_SIG* s) const { ECDSA_SIG_free(s); }
};
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, SignatureFree>;
struct ContextFree {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, ContextFree>;
struct KeyFree {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;

const char* group_of(Curve curve) { return curve == Curve::kP384 ? "P-384" : "P-256"; }

bool is_on(Curve curve, EVP_PKEY* key) {
  std::array<char, 32> group{};
  size_t length = 0;
  return EVP_PKEY_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) == 1 &&
         std::string_view(group.data(), length) ==
             (curve == Curve::kP384 ? "secp384r1" : "prime256v1");
}

}  // namespace

Sha256Digest sha256(Bytes data) { return digest<32>(EVP_sha256(), data); }
Sha384Digest sha384(Bytes data) { return digest<48>(EVP_sha384(), data); }

Sha384::Sha384() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha384(), nullptr) == 1,
        "starting a hash cannot fail");
}
Sha384::Sha384(Sha384&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
Sha384::~Sha384() { EVP_MD_CTX_free(context_); }

Sha384& Sha384::update(Bytes data) {
  CHECK(EVP_DigestUpdate(context_, data.data(), data.size()) == 1, "hashing memory cannot fail");
  return *this;
}

Sha384& Sha384::field(Bytes data) {
  const uint64_t length = data.size();
  return update(bytes_of(length)).update(data);
}

Sha384Digest Sha384::finish() {
  Sha384Digest result;
  CHECK(EVP_DigestFinal_ex(context_, result.data(), nullptr) == 1, "hashing memory cannot fail");
  return result;
}

bool equal_secret(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace {

Sha384Digest hmac(Bytes key, Bytes data) {
  Sha384Digest result;
  unsigned int size = 0;
  const uint8_t* done = HMAC(EVP_sha384(), key.data(), static_cast<int>(key.size()), data.data(),
                             data.size(), result.data(), &size);
  CHECK(done != nullptr && size == result.size(), "hashing memory cannot fail");
  return result;
}

}  // namespace

SecretKey derive_key(Bytes secret, Bytes salt, Bytes label) {
  Sha384Digest extracted = hmac(salt, secret);
  // One round of the expansion gives 48 bytes, and 32 are wanted.
  std::vector<uint8_t> round(label.begin(), label.end());
  round.push_back(1);
  Sha384Digest expanded = hmac(extracted, round);
  const auto key = load<SecretKey>(expanded);
  clear_secret(extracted);
  clear_secret(expanded);
  return key;
}

void clear_secret(MutableBytes secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

Result<SigningKey> SigningKey::generate(Curve curve) {
  EVP_PKEY* key = EVP_EC_gen(group_of(curve));
  if (key == nullptr) return library_error("generating a key");
  SigningKey made(key);
  TRY(made.fill_public());
  return made;
}

Result<SigningKey> SigningKey::from_der(Bytes der, Curve curve) {
  const uint8_t* at = der.data();
  EVP_PKEY* key = d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size()));
  if (key == nullptr) {
    ERR_clear_error();
    return Error{Code::kInvalid, "the private key is not PKCS#8 DER"};
  }
  SigningKey made(key);
  if (!is_on(curve, key))
    return Error{Code::kInvalid, formatted("the private key is not on {}", group_of(curve))};
  TRY(made.fill_public());
  return made;
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : key_(std::exchange(other.key_, nullptr)), public_der_(std::move(other.public_der_)) {}
SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  std::swap(key_, other.key_);
  std::swap(public_der_, other.public_der_);
  return *this;
}
SigningKey::~SigningKey() { EVP_PKEY_free(key_); }

Status SigningKey::fill_public() {
  const int size = i2d_PUBKEY(key_, nullptr);
  if (size <= 0) return library_error("encoding a public key");
  public_der_.resize(static_cast<size_t>(size));
  uint8_t* at = public_der_.data();
  i2d_PUBKEY(key_, &at);
  return {};
}

Result<std::vector<uint8_t>> SigningKey::to_der() const {
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key_);
  if (info == nullptr) return library_error("encoding a private key");
  uint8_t* encoded = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info, &encoded);
  PKCS8_PRIV_KEY_INFO_free(info);
  if (size <= 0) return library_error("encoding a private key");
  std::vector<uint8_t> der(encoded, encoded + size);
  OPENSSL_clear_free(encoded, static_cast<size_t>(size));
  return der;
}

Result<Signature> SigningKey::sign(Bytes message) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::array<uint8_t, 160> der{};
  size_t size = der.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha384(), nullptr, key_) != 1 ||
      EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()) != 1) {
    return library_error("signing");
  }
  const uint8_t* at = der.data();
  const EcdsaSignature parsed(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  Signature signature;
  if (!parsed || BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), signature.data(), 48) != 48 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), signature.data() + 48, 48) != 48) {
    return library_error("encoding a signature");
  }
  return signature;
}

Status verify_signature(Bytes public_der, Bytes message, const Signature& signature, Curve curve) {
  const uint8_t* at = public_der.data();
  const Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(public_der.size())));
  if (!key || at != public_der.data() + public_der.size() || !is_on(curve, key.get())) {
    ERR_clear_error();
    return Error{
        Code::kInvalid,
        formatted("the public key is not a {} key in SubjectPublicKeyInfo form", group_of(curve))};
  }
  const EcdsaSignature parsed(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(signature.data(), 48, nullptr);
  BIGNUM* s = BN_bin2bn(signature.data() + 48, 48, nullptr);
  uint8_t* der = nullptr;
  int size = -1;
  if (parsed && r != nullptr && s != nullptr && ECDSA_SIG_set0(parsed.get(), r, s) == 1) {
    size = i2d_ECDSA_SIG(parsed.get(), &der);
  } else {
    BN_free(r);
    BN_free(s);
  }
  if (size <= 0) return library_error("encoding a signature");
  const DigestContext context(EVP_MD_CTX_new());
  const bool good =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha384(), nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), der, static_cast<size_t>(size), message.data(),
                       message.size()) == 1;
  OPENSSL_free(der);
  ERR_clear_error();
  if (!good)
    return Error{Code::kInvalid, "the signature does not fit the key and the signed bytes"};
  return {};
}

}  // namespace casemate
