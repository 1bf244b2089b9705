// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/aead.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>

#include "base/check.h"
#include "base/crypto.h"

namespace casemate::keys {
namespace {

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, CipherFree>;

}  // namespace

std::vector<uint8_t> seal_bytes(const SecretKey& key, const ByteArray<12>& nonce, Bytes label,
                                Bytes plain) {
  const Cipher cipher(EVP_CIPHER_CTX_new());
  std::vector<uint8_t> sealed(plain.size() + kTag);
  int size = 0;
  const bool done =
      cipher &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, label.data(),
                        static_cast<int>(label.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), sealed.data(), &size, plain.data(),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), sealed.data() + size, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTag, sealed.data() + plain.size()) ==
          1;
  CHECK(done, "encrypting memory cannot fail");
  return sealed;
}

Result<std::vector<uint8_t>> open_bytes(const SecretKey& key, const ByteArray<12>& nonce,
                                        Bytes label, Bytes sealed) {
  if (sealed.size() < kTag) return Error{Code::kInvalid, "what was sealed is too short"};
  const Cipher cipher(EVP_CIPHER_CTX_new());
  const Bytes hidden = sealed.first(sealed.size() - kTag);
  ByteArray<kTag> tag = load<ByteArray<kTag>>(sealed.last(kTag));
  std::vector<uint8_t> plain(hidden.size());
  int size = 0;
  const bool opened =
      cipher &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &size, label.data(),
                        static_cast<int>(label.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), plain.data(), &size, hidden.data(),
                        static_cast<int>(hidden.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), plain.data() + size, &size) == 1;
  if (opened) return plain;
  clear_secret(plain);
  return Error{Code::kInvalid, "it does not open with this key"};
}

ByteArray<32> tag_of(const SecretKey& key, Bytes message) {
  ByteArray<32> tag{};
  unsigned size = 0;
  const auto* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(),
                          message.size(), tag.data(), &size);
  CHECK(made != nullptr && size == tag.size(), "hashing memory cannot fail");
  return tag;
}

}  // namespace casemate::keys
