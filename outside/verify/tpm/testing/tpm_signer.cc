// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/tpm/testing/tpm_signer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <bit>

namespace casemate::verify::testing {
namespace {

std::vector<uint8_t> number_of(const EVP_PKEY* key, const char* name, int size) {
  BIGNUM* number = nullptr;
  CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1, "the key has this number");
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  BN_bn2binpad(number, bytes.data(), size);
  BN_free(number);
  return bytes;
}

uint16_t hash_of(TpmKeyKind kind) {
  return kind == TpmKeyKind::kP384 ? tpm::kSha384 : tpm::kSha256;
}

std::vector<uint8_t> hashed(TpmKeyKind kind, Bytes data) {
  if (kind == TpmKeyKind::kP384) {
    const auto digest = sha384(data);
    return {digest.begin(), digest.end()};
  }
  const auto digest = sha256(data);
  return {digest.begin(), digest.end()};
}

}  // namespace

TpmSigner::TpmSigner(TpmKeyKind kind) : kind_(kind) {
  EVP_PKEY* made = kind == TpmKeyKind::kRsa    ? EVP_RSA_gen(2048u)
                   : kind == TpmKeyKind::kP256 ? EVP_EC_gen("P-256")
                                               : EVP_EC_gen("P-384");
  CHECK(made != nullptr, "tests need a working libcrypto");
  pair_ = {made, EVP_PKEY_free};
  platform.fill(0x51);
  report_data.fill(0x17);
  make();
  sign();
}

void TpmSigner::make_key() {
  TpmWriter out;
  const uint16_t hash = hash_of(kind_);
  const bool rsa = kind_ == TpmKeyKind::kRsa;
  out.u16(rsa ? tpm::kRsa : tpm::kEcc).u16(hash).u32(attributes).u16(0).u16(tpm::kNull);
  if (rsa) {
    out.u16(tpm::kRsassa).u16(hash).u16(2048).u32(0);
    out.sized(number_of(pair_.get(), OSSL_PKEY_PARAM_RSA_N, 256));
  } else {
    const int size = kind_ == TpmKeyKind::kP256 ? 32 : 48;
    out.u16(tpm::kEcdsa).u16(hash).u16(size == 32 ? tpm::kP256 : tpm::kP384).u16(tpm::kNull);
    out.sized(number_of(pair_.get(), OSSL_PKEY_PARAM_EC_PUB_X, size));
    out.sized(number_of(pair_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, size));
  }
  key = out.take();
}

void TpmSigner::make_attest() {
  const uint16_t hash = hash_of(kind_);
  const auto name = TpmWriter().u16(hash).bytes(hashed(kind_, key)).take();
  const auto above = TpmWriter().u32(tpm::kEndorsement).bytes(name).take();
  TpmWriter out;
  out.u32(magic).u16(type);
  out.sized(TpmWriter().u16(hash).bytes(hashed(kind_, above)).view());
  out.sized(sha256(head.signed_bytes()));
  out.number<uint64_t>(1000).u32(1).u32(0).u8(clock_safe).number<uint64_t>(7);
  out.u32(banks);
  for (uint32_t i = 0; i < banks; ++i) {
    out.u16(bank).u8(3);
    for (int shift = 0; shift < 24; shift += 8) out.u8(static_cast<uint8_t>(pcrs >> shift));
  }
  out.sized(hashed(kind_, pcr_values));
  attest = out.take();
}

void TpmSigner::make() {
  head = {.issued_unix = issued_unix, .report_data = report_data};
  const auto flag_bytes = TpmWriter().u32(flags).take();
  Sha256Digest own{};
  TpmWriter all;
  for (const auto& event :
       {TpmWriter().u32(1).sized(platform).take(), TpmWriter().u32(2).sized(flag_bytes).take()}) {
    all.bytes(event);
    own = sha256(TpmWriter().bytes(own).bytes(sha256(event)).view());
  }
  events = all.take();
  const auto count = static_cast<size_t>(std::popcount(pcrs));
  pcr_values.assign(32 * count, 0x0F);
  if (count > 0) std::ranges::copy(own, pcr_values.end() - 32);  // PCR 23 is the last
  make_key();
  make_attest();
}

void TpmSigner::sign() {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::vector<uint8_t> der(512);
  size_t size = der.size();
  const EVP_MD* method = kind_ == TpmKeyKind::kP384 ? EVP_sha384() : EVP_sha256();
  CHECK(EVP_DigestSignInit(context.get(), nullptr, method, nullptr, pair_.get()) == 1 &&
            EVP_DigestSign(context.get(), der.data(), &size, attest.data(), attest.size()) == 1,
        "tests need a working libcrypto");
  der.resize(size);
  TpmWriter out;
  out.u16(kind_ == TpmKeyKind::kRsa ? tpm::kRsassa : tpm::kEcdsa).u16(hash_of(kind_));
  if (kind_ == TpmKeyKind::kRsa) {
    signature = out.sized(der).take();
    return;
  }
  const uint8_t* at = der.data();
  ECDSA_SIG* parsed = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
  for (const BIGNUM* number : {ECDSA_SIG_get0_r(parsed), ECDSA_SIG_get0_s(parsed)}) {
    // Without leading zeros, as some TPMs write them.
    std::vector<uint8_t> bytes(static_cast<size_t>(BN_num_bytes(number)));
    BN_bn2bin(number, bytes.data());
    out.sized(bytes);
  }
  ECDSA_SIG_free(parsed);
  signature = out.take();
}

std::vector<uint8_t> TpmSigner::quote() const {
  return encode_tpm_quote(head, std::array<Bytes, TpmQuoteHead::kParts>{
                                    attest, signature, key, certificate, pcr_values, events});
}

}  // namespace casemate::verify::testing
