// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/identity/tls_key.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <utility>

namespace casemate::gateway {

Result<TlsKey> TlsKey::generate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  if (key == nullptr) return Error{Code::kPlatform, "libcrypto cannot make a P-256 key"};
  TlsKey made(key);
  uint8_t* encoded = nullptr;
  const int size = i2d_PUBKEY(key, &encoded);
  if (size <= 0) return Error{Code::kPlatform, "libcrypto cannot encode a P-256 key"};
  made.public_der_.assign(encoded, encoded + size);
  OPENSSL_free(encoded);
  return made;
}

TlsKey::TlsKey(TlsKey&& other) noexcept
    : key_(std::exchange(other.key_, nullptr)), public_der_(std::move(other.public_der_)) {}
TlsKey& TlsKey::operator=(TlsKey&& other) noexcept {
  std::swap(key_, other.key_);
  std::swap(public_der_, other.public_der_);
  return *this;
}
TlsKey::~TlsKey() { EVP_PKEY_free(key_); }

}  // namespace casemate::gateway
