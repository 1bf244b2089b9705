// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/wrap.h"

#include <openssl/err.h>
#include <openssl/hpke.h>
#include <openssl/x509.h>

#include <memory>

namespace casemate::keys {
namespace {

constexpr OSSL_HPKE_SUITE kSuite = {OSSL_HPKE_KEM_ID_P384, OSSL_HPKE_KDF_ID_HKDF_SHA384,
                                    OSSL_HPKE_AEAD_ID_AES_GCM_256};

struct HpkeFree {
  void operator()(OSSL_HPKE_CTX* c) const { OSSL_HPKE_CTX_free(c); }
};
struct KeyFree {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};
struct BufferFree {
  void operator()(unsigned char* b) const { OPENSSL_free(b); }
};
using Point = std::unique_ptr<unsigned char, BufferFree>;

// The key as HPKE takes it: an uncompressed point.
Result<std::pair<Point, size_t>> point_of(Bytes spki) {
  const uint8_t* at = spki.data();
  const std::unique_ptr<EVP_PKEY, KeyFree> key(
      d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  unsigned char* point = nullptr;
  const size_t size = key ? EVP_PKEY_get1_encoded_public_key(key.get(), &point) : 0;
  if (size != 0 && at == spki.data() + spki.size()) return std::pair(Point(point), size);
  OPENSSL_free(point);
  ERR_clear_error();
  return Error{Code::kInvalid, "the enclave's key is none in SubjectPublicKeyInfo form"};
}

}  // namespace

Result<sealed::WrappedKey> wrap(const SecretKey& key, const sealed::KeyRequest& request) {
  const auto [point, size] =
      TRY(point_of(Bytes(request.public_key).first(request.public_key_bytes)));
  sealed::WrappedKey wrapped;
  wrapped.nonce = request.nonce;
  const sealed::KeyBinding binding = binding_of(request, request.nonce);
  const Bytes info = bytes_of(binding);
  const std::unique_ptr<OSSL_HPKE_CTX, HpkeFree> hpke(
      OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, kSuite, OSSL_HPKE_ROLE_SENDER, nullptr, nullptr));
  size_t encapsulated = wrapped.encapsulated.size();
  size_t hidden = wrapped.sealed_key.size();
  const bool done = hpke &&
                    OSSL_HPKE_encap(hpke.get(), wrapped.encapsulated.data(), &encapsulated,
                                    point.get(), size, info.data(), info.size()) == 1 &&
                    OSSL_HPKE_seal(hpke.get(), wrapped.sealed_key.data(), &hidden, nullptr, 0,
                                   key.data(), key.size()) == 1 &&
                    encapsulated == wrapped.encapsulated.size() &&
                    hidden == wrapped.sealed_key.size();
  ERR_clear_error();
  if (!done) return Error{Code::kInvalid, "the enclave's key is not on P-384"};
  return wrapped;
}

}  // namespace casemate::keys
