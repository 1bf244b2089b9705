// SPDX-License-Identifier: Apache-2.0
#include "outside/certify/credential.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/crypto.h"
#include "outside/verify/x509/owned.h"
#include "wire/tpm/marshal.h"

namespace casemate::certify {
namespace {

constexpr std::string_view kIdentity("IDENTITY\0", 9);  // its NUL is part of the label

Error encryption_failed(std::string_view what) {
  ERR_clear_error();
  return {Code::kPlatform, formatted("libcrypto failed at {}", what)};
}

ByteArray<32> hmac(Bytes key, Bytes data) {
  ByteArray<32> result;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(),
       result.data(), nullptr);
  return result;
}

// KDFa (part 1, section 11.4.10.2) of at most 256 bits: one round of it.
ByteArray<32> derive(Bytes seed, std::string_view label, Bytes context, uint32_t bits) {
  TpmWriter input;
  input.u32(1).bytes(bytes_of(label)).u8(0).bytes(context).u32(bits);
  return hmac(seed, input.view());
}

Result<std::vector<uint8_t>> encrypt_cfb(Bytes key, Bytes plain) {
  const verify::Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> context(EVP_CIPHER_CTX_new());
  const ByteArray<16> zero{};
  std::vector<uint8_t> out(plain.size());
  int size = 0;
  if (EVP_EncryptInit_ex(context.get(), EVP_aes_128_cfb128(), nullptr, key.data(), zero.data()) !=
          1 ||
      EVP_EncryptUpdate(context.get(), out.data(), &size, plain.data(),
                        static_cast<int>(plain.size())) != 1 ||
      static_cast<size_t>(size) != plain.size())
    return encryption_failed("AES");
  return out;
}

Result<std::vector<uint8_t>> encrypt_oaep(EVP_PKEY* key, Bytes plain) {
  const verify::Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new(key, nullptr));
  void* label = OPENSSL_memdup(kIdentity.data(), kIdentity.size());
  std::vector<uint8_t> out(static_cast<size_t>(EVP_PKEY_get_size(key)));
  size_t size = out.size();
  if (EVP_PKEY_encrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), label, kIdentity.size()) != 1) {
    OPENSSL_free(label);
    return encryption_failed("RSA-OAEP");
  }
  if (EVP_PKEY_encrypt(context.get(), out.data(), &size, plain.data(), plain.size()) != 1)
    return encryption_failed("RSA-OAEP");
  out.resize(size);
  return out;
}

}  // namespace

Result<std::vector<uint8_t>> make_credential(Bytes endorsement_key, Bytes key_name, Bytes secret,
                                             Random& random) {
  const uint8_t* at = endorsement_key.data();
  const verify::Owned<EVP_PKEY, EVP_PKEY_free> key(
      d2i_PUBKEY(nullptr, &at, static_cast<long>(endorsement_key.size())));
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA ||
      EVP_PKEY_get_bits(key.get()) != 2048) {
    ERR_clear_error();
    return Error{Code::kUnsupported, "the endorsement key is not RSA of 2,048 bits"};
  }
  ByteArray<32> seed;
  random.fill(seed);
  const auto storage = derive(seed, "STORAGE", key_name, 128);
  const auto integrity = derive(seed, "INTEGRITY", {}, 256);
  const auto identity =
      TRY(encrypt_cfb(Bytes(storage).first(16), TpmWriter().sized(secret).view()));
  const auto outer = hmac(integrity, TpmWriter().bytes(identity).bytes(key_name).view());
  const auto encrypted_seed = TRY(encrypt_oaep(key.get(), seed));
  clear_secret(seed);
  return TpmWriter()
      .sized(TpmWriter().sized(outer).bytes(identity).view())
      .sized(encrypted_seed)
      .take();
}

}  // namespace casemate::certify
