// SPDX-License-Identifier: Apache-2.0
#include "isolated/sealed/unsealer.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hpke.h>
#include <openssl/x509.h>

#include "base/format.h"

namespace casemate::sealed {
namespace {

constexpr OSSL_HPKE_SUITE kSuite = {OSSL_HPKE_KEM_ID_P384, OSSL_HPKE_KDF_ID_HKDF_SHA384,
                                    OSSL_HPKE_AEAD_ID_AES_GCM_256};

struct HpkeFree {
  void operator()(OSSL_HPKE_CTX* c) const { OSSL_HPKE_CTX_free(c); }
};
struct CipherFree {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};

// One chunk, whose tag stands behind it, into `plain`.
bool open_chunk(EVP_CIPHER_CTX* cipher, const SecretKey& key, uint64_t number,
                const ChunkLabel& label, Bytes hidden, MutableBytes plain) {
  const ByteArray<12> nonce = nonce_of(number);
  const Bytes associated = bytes_of(label);
  auto tag = load<ByteArray<kTagBytes>>(hidden.last(kTagBytes));
  int size = 0;
  const auto bytes = static_cast<int>(plain.size());  // of a chunk: at most 1 MiB
  return EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1 &&
         EVP_DecryptUpdate(cipher, nullptr, &size, associated.data(),
                           static_cast<int>(associated.size())) == 1 &&
         EVP_DecryptUpdate(cipher, plain.data(), &size, hidden.data(), bytes) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(cipher, plain.data() + plain.size(), &size) == 1;
}

}  // namespace

void Unsealer::KeyFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<Unsealer> Unsealer::make(Bytes file) {
  Unsealer unsealer(file, TRY(Package::read(file, file.size())));
  unsealer.key_.reset(EVP_EC_gen("P-384"));
  uint8_t* encoded = nullptr;
  const int size = unsealer.key_ ? i2d_PUBKEY(unsealer.key_.get(), &encoded) : 0;
  if (size > 0) unsealer.public_.assign(encoded, encoded + size);
  OPENSSL_free(encoded);
  if (size <= 0 || unsealer.public_.size() > sizeof(KeyRequest::public_key))
    return Error{Code::kPlatform, "a key pair for the key service cannot be made"};
  return unsealer;
}

KeyRequest Unsealer::request() const {
  KeyRequest request;
  request.package = package_.header.package;
  request.version = package_.header.version;
  request.name = package_.header.name;
  request.public_key_bytes = static_cast<uint32_t>(public_.size());
  std::ranges::copy(public_, request.public_key.begin());
  return request;
}

Status Unsealer::unwrap(const WrappedKey& answer, SecretKey& key) const {
  TRY(check_form(answer));
  const KeyBinding binding = binding_of(request(), answer.nonce);
  const Bytes info = bytes_of(binding);
  const std::unique_ptr<OSSL_HPKE_CTX, HpkeFree> hpke(
      OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, kSuite, OSSL_HPKE_ROLE_RECEIVER, nullptr, nullptr));
  size_t size = key.size();
  const bool opened =
      hpke &&
      OSSL_HPKE_decap(hpke.get(), answer.encapsulated.data(), answer.encapsulated.size(),
                      key_.get(), info.data(), info.size()) == 1 &&
      OSSL_HPKE_open(hpke.get(), key.data(), &size, nullptr, 0, answer.sealed_key.data(),
                     answer.sealed_key.size()) == 1 &&
      size == key.size();
  ERR_clear_error();
  if (!opened) return Error{Code::kDenied, "what came as the model's key is not for this enclave"};
  return {};
}

Status Unsealer::open_part(uint32_t part, const SecretKey& package_key, MutableBytes plain) const {
  const std::unique_ptr<EVP_CIPHER_CTX, CipherFree> cipher(EVP_CIPHER_CTX_new());
  SecretKey key = package_.key_of(package_key, part);
  bool opened = cipher != nullptr;
  for (uint64_t chunk = 0; opened && chunk < package_.chunks_of(part); ++chunk) {
    const uint64_t size = package_.size_of(part, chunk);
    opened = open_chunk(cipher.get(), key, chunk, package_.label_of(part, chunk),
                        file_.subspan(package_.place_of(part, chunk), size + kTagBytes),
                        plain.subspan(chunk * package_.header.chunk_bytes, size));
  }
  clear_secret(key);
  if (opened) return {};
  ERR_clear_error();
  return Error{Code::kInvalid,
               formatted("part {} of the sealed model does not open: it was changed, or the key is "
                         "another package's",
                         part)};
}

Result<Mapping> Unsealer::open(const WrappedKey& answer) const {
  SecretKey key{};  // in this place alone, and only until the end
  const Status got = unwrap(answer, key);
  Result<Mapping> opened = got ? open_with(key) : Result<Mapping>(got.error());
  clear_secret(key);
  return opened;
}

Result<Mapping> Unsealer::open_with(const SecretKey& key) const {
  const uint64_t size = package_.header.plain_bytes;
  Mapping plain = TRY(Mapping::anonymous(size));
  Mapping graph = TRY(Mapping::anonymous(package_.parts[0].bytes));
  TRY(open_part(0, key, graph.bytes()));
  uint64_t taken = 0;  // of the graph
  uint64_t at = 0;     // in the file
  for (uint32_t i = 1; i <= package_.parts.size(); ++i) {
    const Part tensor = i < package_.parts.size() ? package_.parts[i] : Part{size, 0};
    std::ranges::copy(graph.bytes().subspan(taken, tensor.at - at), plain.data() + at);
    taken += tensor.at - at;
    at = tensor.at + tensor.bytes;
    if (tensor.bytes != 0) TRY(open_part(i, key, plain.bytes().subspan(tensor.at, tensor.bytes)));
  }
  return plain;
}

}  // namespace casemate::sealed
