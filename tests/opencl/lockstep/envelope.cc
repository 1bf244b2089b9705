// SPDX-License-Identifier: Apache-2.0
#include "tests/opencl/lockstep/envelope.h"

#include <openssl/evp.h>

#include <cstring>
#include <utility>

#include "base/check.h"

namespace casemate::opencl::lockstep {
namespace {

constexpr ByteArray<32> kKey = {0x4C, 0x6F, 0x63, 0x6B, 0x73, 0x74, 0x65, 0x70};

}  // namespace

Envelope::Envelope(uint8_t direction) : context_(EVP_CIPHER_CTX_new()), direction_(direction) {
  CHECK(EVP_CipherInit_ex2(context_, EVP_aes_256_gcm(), kKey.data(), nullptr, 1, nullptr) == 1,
        "libcrypto has AES-256-GCM");
}
Envelope::~Envelope() { EVP_CIPHER_CTX_free(context_); }
Envelope::Envelope(Envelope&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)),
      number_(other.number_),
      direction_(other.direction_) {}

void Envelope::begin(bool sealing) {
  ByteArray<12> nonce{};
  nonce[0] = direction_;
  std::memcpy(nonce.data() + 4, &++number_, sizeof number_);
  CHECK(EVP_CipherInit_ex2(context_, nullptr, nullptr, nonce.data(), sealing ? 1 : 0, nullptr) == 1,
        "a nonce of twelve bytes is taken");
}

Tag Envelope::seal(Bytes plain, uint8_t* sealed) {
  begin(true);
  int size = 0;
  Tag tag;
  CHECK(EVP_EncryptUpdate(context_, sealed, &size, plain.data(), static_cast<int>(plain.size())) ==
                1 &&
            EVP_EncryptFinal_ex(context_, sealed + size, &size) == 1 &&
            EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_GET_TAG, tag.size(), tag.data()) == 1,
        "encrypting does not fail");
  return tag;
}

bool Envelope::open(Bytes sealed, const Tag& tag, uint8_t* plain) {
  begin(false);
  int size = 0;
  Tag copy = tag;
  return EVP_DecryptUpdate(context_, plain, &size, sealed.data(),
                           static_cast<int>(sealed.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_SET_TAG, copy.size(), copy.data()) == 1 &&
         EVP_DecryptFinal_ex(context_, plain + size, &size) == 1;
}

}  // namespace casemate::opencl::lockstep
