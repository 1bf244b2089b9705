// SPDX-License-Identifier: Apache-2.0
#include "outside/certify/tpm.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "outside/certify/credential.h"
#include "outside/verify/tpm/key.h"
#include "outside/verify/tpm/key_use.h"
#include "outside/verify/x509/chain.h"
#include "outside/verify/x509/owned.h"
#include "wire/tpm/marshal.h"

namespace casemate::certify {
namespace {

constexpr uint32_t kGrant = 0x43544731;  // "CTG1"
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;

using CipherContext = verify::Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

// The certificate in a TPM may be followed by unused space.
Bytes without_padding(Bytes der) {
  if (der.size() < 4 || der[0] != 0x30 || der[1] != 0x82) return der;
  return der.first(std::min<size_t>(der.size(), 4 + (size_t{der[2]} << 8 | der[3])));
}

// Nonce, ciphertext and tag of AES-256-GCM; each secret is used once.
Result<std::vector<uint8_t>> seal(Bytes secret, Bytes plain, Random& random) {
  const CipherContext context(EVP_CIPHER_CTX_new());
  std::vector<uint8_t> out(kNonceBytes + plain.size() + kTagBytes);
  random.fill(MutableBytes(out).first(kNonceBytes));
  uint8_t* text = &out[kNonceBytes];
  int size = 0;
  if (EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, secret.data(), out.data()) !=
          1 ||
      EVP_EncryptUpdate(context.get(), text, &size, plain.data(), static_cast<int>(plain.size())) !=
          1 ||
      EVP_EncryptFinal_ex(context.get(), text + size, &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, text + plain.size()) !=
          1)
    return Error{Code::kPlatform, "libcrypto failed at AES-GCM"};
  return out;
}

Result<std::string> check_maker(const verify::X509Certificate& endorsement, const TpmTerms& terms) {
  if (verify::restricts_key_use(endorsement) &&
      !verify::names_key_use(endorsement, verify::kEndorsementKeyUse))
    return Error{Code::kInvalid, "the TPM's certificate is not of an endorsement key"};
  // A credential is a secret that is enciphered for it.
  if (!verify::may_encipher_keys(endorsement)) {
    return Error{Code::kInvalid,
                 "the TPM's certificate does not let keys be enciphered for its key (key usage): "
                 "it is not of an endorsement key"};
  }
  verify::ChainRules rules;
  rules.certified_anchors = true;  // a maker's certificates come from the user, roots or not
  for (const auto& maker : terms.makers.certificates())
    rules.anchors.push_back(sha384(maker.key()));
  const auto chain = verify::chain_of(endorsement, terms.makers.certificates(), rules);
  if (!chain) {
    return Error{Code::kDenied,
                 formatted("no TPM maker whose certificate you gave vouches for this TPM: {}. Its "
                           "maker publishes the certificate that is missing; take it from there "
                           "and from nowhere else",
                           chain.error().text)};
  }
  TRY(verify::check_validity(*chain, terms.now_unix));
  TRY(verify::check_revocation(*chain, terms.makers.crls(), terms.now_unix,
                               verify::Revocation::kIfListed));
  return chain->back().subject();
}

}  // namespace

Result<TpmGrant> certify_tpm(Bytes request, const Authority& authority, const TpmTerms& terms,
                             Random& random) {
  TpmReader reader(request);
  const Bytes certificate = without_padding(TRY(reader.sized("the endorsement certificate")));
  const Bytes key_bytes = TRY(reader.sized("the attestation key"));
  TRY(reader.end("the request"));
  const auto endorsement = TRY(verify::X509Certificate::from_der(certificate));
  const auto key = TRY(verify::read_tpm_key(key_bytes));
  TRY(verify::check_attestation_key(key));
  TpmGrant grant;
  grant.maker = TRY(check_maker(endorsement, terms));
  const auto hash = sha384(key_bytes);
  grant.key_hash.assign(hash.begin(), hash.end());
  const auto made = TRY(authority.certify(key.spki, "TPM key " + to_hex(Bytes(hash).first(8)),
                                          terms.now_unix, terms.now_unix + terms.days * 24 * 3600));
  ByteArray<32> secret;
  random.fill(secret);
  const auto credential = TRY(make_credential(endorsement.key(), key.name, secret, random));
  const auto sealed = TRY(seal(secret, made, random));
  clear_secret(secret);
  grant.bytes = TpmWriter().u32(kGrant).sized(credential).sized(sealed).take();
  return grant;
}

Result<TpmGrantParts> read_grant(Bytes grant) {
  TpmReader reader(grant);
  if (TRY(reader.u32("the grant")) != kGrant)
    return Error{Code::kInvalid, "this is not what casemate tpm certify writes"};
  TpmGrantParts parts;
  parts.credential = TRY(reader.sized("the credential"));
  parts.sealed = TRY(reader.sized("the sealed certificate"));
  TRY(reader.end("the grant"));
  if (parts.sealed.size() < kNonceBytes + kTagBytes)
    return Error{Code::kInvalid, "the sealed certificate is cut off"};
  return parts;
}

Result<std::vector<uint8_t>> open_grant(const TpmGrantParts& parts, Bytes secret) {
  const Bytes nonce = parts.sealed.first(kNonceBytes);
  const Bytes text =
      parts.sealed.subspan(kNonceBytes, parts.sealed.size() - kNonceBytes - kTagBytes);
  std::vector<uint8_t> tag(parts.sealed.end() - kTagBytes, parts.sealed.end());
  std::vector<uint8_t> plain(text.size());
  const CipherContext context(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool good =
      secret.size() == 32 &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, secret.data(), nonce.data()) ==
          1 &&
      EVP_DecryptUpdate(context.get(), plain.data(), &size, text.data(),
                        static_cast<int>(text.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), tag.data(), &size) == 1;
  ERR_clear_error();
  if (!good) return Error{Code::kInvalid, "the grant was changed on its way: ask for it again"};
  return plain;
}

}  // namespace casemate::certify
