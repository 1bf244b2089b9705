// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsKey: the private key that a gateway shows its certificate with.
//
// ECDSA over P-256 with SHA-256, as the monitor signs tokens, where quotes and packages are over
// P-384: a handshake proves who is there now, no later machine can undo that, and libcrypto takes a
// tenth of the time for it at both ends (docs/decisions/curves.md).
//
//   Owns     the key; libcrypto clears its memory when it goes.
//   Threads  one.
//   Trust    the public half is what evidence names; the private one leaves no process.
//   Fails    generate() with kPlatform.

#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace casemate::gateway {

class TlsKey final {
 public:
  static Result<TlsKey> generate();
  TlsKey(TlsKey&& other) noexcept;
  TlsKey& operator=(TlsKey&& other) noexcept;
  ~TlsKey();

  // SubjectPublicKeyInfo, DER (RFC 5280): 91 bytes.
  [[nodiscard]] const std::vector<uint8_t>& public_der() const { return public_der_; }
  // Still owned here.
  [[nodiscard]] evp_pkey_st* native() const { return key_; }

 private:
  explicit TlsKey(evp_pkey_st* key) : key_(key) {}
  evp_pkey_st* key_;
  std::vector<uint8_t> public_der_;
};

}  // namespace casemate::gateway
