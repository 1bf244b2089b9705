// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/tpm/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "base/crypto.h"
#include "base/format.h"
#include "outside/verify/x509/certificates.h"
#include "outside/verify/x509/owned.h"
#include "wire/tpm/quote.h"

namespace casemate::verify {
namespace {

Error unsupported(std::string_view what, uint16_t found) {
  return {Code::kUnsupported,
          formatted("the key's {} is {:#06x}, which is not read here", what, found)};
}

Result<std::vector<uint8_t>> hash_of(uint16_t algorithm, Bytes data) {
  if (algorithm == tpm::kSha256) {
    const auto digest = sha256(data);
    return std::vector<uint8_t>(digest.begin(), digest.end());
  }
  if (algorithm != tpm::kSha384) return unsupported("hash", algorithm);
  const auto digest = sha384(data);
  return std::vector<uint8_t>(digest.begin(), digest.end());
}

Result<std::vector<uint8_t>> spki_of_rsa(Bytes modulus, uint32_t exponent) {
  const Owned<BIGNUM, BN_free> n(
      BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_uint(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent);
  const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(build.get()));
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) == 1)
    EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get());
  const Owned<EVP_PKEY, EVP_PKEY_free> key(made);
  const int size = key ? i2d_PUBKEY(key.get(), nullptr) : -1;
  ERR_clear_error();
  if (size <= 0) return Error{Code::kInvalid, "the key's modulus is none"};
  std::vector<uint8_t> der(static_cast<size_t>(size));
  uint8_t* at = der.data();
  i2d_PUBKEY(key.get(), &at);
  return der;
}

// TPMT_SYM_DEF_OBJECT and TPMT_ECC_SCHEME or TPMT_RSA_SCHEME: where TPMS_ECC_PARMS and
// TPMS_RSA_PARMS agree.
Status read_algorithms(TpmReader& reader, TpmKey& key) {
  const uint16_t symmetric = TRY(reader.u16("the key's symmetric algorithm"));
  if (symmetric == tpm::kAes) {
    key.symmetric_bits = TRY(reader.u16("the key's symmetric size"));
    const uint16_t mode = TRY(reader.u16("the key's symmetric mode"));
    if (mode != tpm::kCfb) return unsupported("symmetric mode", mode);
  } else if (symmetric != tpm::kNull) {
    return unsupported("symmetric algorithm", symmetric);
  }
  key.scheme = TRY(reader.u16("the key's scheme"));
  if (key.scheme == tpm::kNull) return {};
  if (key.scheme != (key.type == tpm::kEcc ? tpm::kEcdsa : tpm::kRsassa))
    return unsupported("scheme", key.scheme);
  key.scheme_hash = TRY(reader.u16("the key's hash"));
  return {};
}

Status read_point(TpmReader& reader, TpmKey& key) {
  const uint16_t curve = TRY(reader.u16("the key's curve"));
  if (curve != tpm::kP256 && curve != tpm::kP384) return unsupported("curve", curve);
  key.curve = curve == tpm::kP256 ? "P-256" : "P-384";
  const uint16_t derivation = TRY(reader.u16("the key's derivation"));
  if (derivation != tpm::kNull) return unsupported("derivation", derivation);
  const Bytes x = TRY(reader.sized("the key's x"));
  key.spki = TRY(key_of_point(key.curve, x, TRY(reader.sized("the key's y"))));
  return {};
}

Status read_modulus(TpmReader& reader, TpmKey& key) {
  const uint16_t bits = TRY(reader.u16("the key's size"));
  if (bits != 2048 && bits != 3072 && bits != 4096) return unsupported("size", bits);
  const uint32_t exponent = TRY(reader.u32("the key's exponent"));
  if (exponent != 0 && exponent != 65537)  // 0 stands for the other
    return Error{Code::kUnsupported, formatted("the key's exponent is {}", exponent)};
  const Bytes modulus = TRY(reader.sized("the key's modulus"));
  if (modulus.size() * 8 != bits || (modulus[0] & 0x80) == 0)
    return Error{Code::kInvalid, "the key's modulus is not of its size"};
  key.spki = TRY(spki_of_rsa(modulus, 65537));
  return {};
}

}  // namespace

Result<TpmKey> read_tpm_key(Bytes tpmt_public) {
  TpmReader reader(tpmt_public);
  TpmKey key;
  key.type = TRY(reader.u16("the key's type"));
  if (key.type != tpm::kEcc && key.type != tpm::kRsa) return unsupported("type", key.type);
  const uint16_t name_hash = TRY(reader.u16("the key's name"));
  key.attributes = TRY(reader.u32("the key's attributes"));
  TRY(reader.sized("the key's policy"));
  TRY(read_algorithms(reader, key));
  TRY(key.type == tpm::kEcc ? read_point(reader, key) : read_modulus(reader, key));
  TRY(reader.end("the key"));
  const auto digest = TRY(hash_of(name_hash, tpmt_public));
  key.name = TpmWriter().u16(name_hash).bytes(digest).take();
  return key;
}

Status check_attestation_key(const TpmKey& key) {
  using namespace tpm;
  constexpr uint32_t kWanted =
      kFixedTpm | kFixedParent | kSensitiveDataOrigin | kRestricted | kSign;
  if ((key.attributes & kWanted) != kWanted || (key.attributes & kDecrypt) != 0) {
    return Error{Code::kInvalid,
                 formatted("the key's attributes are {:#x}: it may be copied, or signs "
                           "what the TPM has not said",
                           key.attributes)};
  }
  return {};
}

std::vector<uint8_t> qualified_name(const TpmKey& key) {
  const auto hash = static_cast<uint16_t>(key.name[0] << 8 | key.name[1]);
  const auto digest = hash_of(hash, TpmWriter().u32(tpm::kEndorsement).bytes(key.name).view());
  return TpmWriter().u16(hash).bytes(*digest).take();
}

Status check_tpm_signature(const TpmKey& key, Bytes message, Bytes tpmt_signature) {
  TpmReader reader(tpmt_signature);
  const uint16_t scheme = TRY(reader.u16("the signature's scheme"));
  const uint16_t hash = TRY(reader.u16("the signature's hash"));
  if (scheme != (key.type == tpm::kEcc ? tpm::kEcdsa : tpm::kRsassa))
    return unsupported("signature's scheme", scheme);
  if (key.scheme != tpm::kNull && hash != key.scheme_hash)
    return Error{Code::kInvalid, "the signature's hash is not its key's"};
  if (hash != tpm::kSha256 && hash != tpm::kSha384) return unsupported("signature's hash", hash);
  const std::string_view digest = hash == tpm::kSha256 ? "SHA256" : "SHA384";
  if (key.type == tpm::kRsa) {
    const Bytes signature = TRY(reader.sized("the signature"));
    TRY(reader.end("the signature"));
    return check_signature(key.spki, digest, message, signature, false);
  }
  const size_t size = key.curve == "P-256" ? 32 : 48;
  std::vector<uint8_t> raw;
  for (const std::string_view part : {"the signature's r", "the signature's s"}) {
    const Bytes number = TRY(reader.sized(part));
    if (number.size() > size)
      return Error{Code::kInvalid, formatted("{} has {} bytes", part, number.size())};
    raw.insert(raw.end(), size - number.size(), 0);
    raw.insert(raw.end(), number.begin(), number.end());
  }
  TRY(reader.end("the signature"));
  return check_signature(key.spki, digest, message, raw, true);
}

}  // namespace casemate::verify
