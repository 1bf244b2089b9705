// SPDX-License-Identifier: Apache-2.0
#pragma once
// Crypto: the seam to libcrypto. Hashes, ECDSA, and a heap for keys that the kernel itself cannot
// read.
//
// ECDSA with SHA-384 over P-384, as SEV-SNP signs its reports, and over P-256 for what is signed
// for each client (docs/decisions/curves.md); signatures are r || s, 48 bytes each, big-endian.
//
//   Owns     keys; their memory is cleared when they go.
//   Threads  a key may be used by one thread at a time.
//   Trust    verify() takes hostile input: every length and encoding is checked by libcrypto.
//   Fails    kInvalid for what a peer sent, kPlatform when libcrypto itself fails.

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct evp_pkey_st;
struct evp_md_ctx_st;

namespace casemate {

using Sha256Digest = ByteArray<32>;
using Sha384Digest = ByteArray<48>;
using Signature = ByteArray<96>;

Sha256Digest sha256(Bytes data);
Sha384Digest sha384(Bytes data);

// A SHA-384 over data that comes in pieces.
class Sha384 final {
 public:
  Sha384();
  Sha384(Sha384&&) noexcept;
  ~Sha384();
  Sha384& update(Bytes data);
  // Adds the length as 8 bytes and then the data, so that neighbouring fields cannot trade bytes.
  Sha384& field(Bytes data);
  // Requires: called once, last.
  Sha384Digest finish();

 private:
  evp_md_ctx_st* context_;
};

// True when both are equal; takes the same time whatever they hold.
bool equal_secret(Bytes a, Bytes b);

// Overwrites memory in a way that the compiler may not remove.
void clear_secret(MutableBytes secret);

enum class Curve : uint8_t { kP384, kP256 };

// A private key.
class SigningKey final {
 public:
  static Result<SigningKey> generate(Curve curve = Curve::kP384);
  // From PKCS#8 DER, as to_der() wrote it.
  static Result<SigningKey> from_der(Bytes der, Curve curve = Curve::kP384);
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  // The public key as SubjectPublicKeyInfo DER (RFC 5280): 120 bytes, 91 on P-256.
  [[nodiscard]] const std::vector<uint8_t>& public_der() const { return public_der_; }
  [[nodiscard]] Result<Signature> sign(Bytes message) const;
  [[nodiscard]] Result<std::vector<uint8_t>> to_der() const;
  // For libraries that take libcrypto's own type (TLS). Still owned here.
  [[nodiscard]] evp_pkey_st* native() const { return key_; }

 private:
  explicit SigningKey(evp_pkey_st* key) : key_(key) {}
  Status fill_public();
  evp_pkey_st* key_;
  std::vector<uint8_t> public_der_;
};

// Succeeds when `signature` over `message` was made with the key on `curve` whose
// SubjectPublicKeyInfo is `public_der`. Fails with kInvalid and what was wrong otherwise: another
// curve, a point off the curve, a bad signature.
Status verify_signature(Bytes public_der, Bytes message, const Signature& signature,
                        Curve curve = Curve::kP384);

// A heap for libcrypto and libssl in memfd_secret memory: pages that are removed from the kernel's
// own map, never swapped and in no core dump. It has at most `size` bytes, fewer where
// RLIMIT_MEMLOCK is lower. Once it is full, further allocations come from ordinary memory and are
// counted: keys made early, above all the process's own, are always in it.
struct SecretHeap {
  size_t size = 0;  // 0: this kernel has none, or libcrypto has already allocated
  size_t used = 0;
  size_t spilled = 0;  // allocations so far that did not fit
};
// Sets the heap up, and keeps libcrypto from reading its configuration file. Requires: called
// before any other function here.
SecretHeap use_secret_heap(size_t size);
// In a forked child: a copy of the heap in place of its parent's, which it shares until then.
// False: do nothing with libcrypto.
bool own_secret_heap();
SecretHeap secret_heap();

}  // namespace casemate
