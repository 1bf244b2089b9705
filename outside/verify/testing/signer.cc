// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/testing/signer.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/check.h"
#include "outside/verify/decode.h"

namespace casemate::verify::testing {
namespace {

SigningKey new_key(Curve curve) {
  auto key = SigningKey::generate(curve);
  CHECK(key, "tests need a working libcrypto");
  return *std::move(key);
}

certify::DevelopmentPki new_pki() {
  SecretKey seed;
  system_random().fill(seed);
  auto pki = certify::DevelopmentPki::make(seed);
  CHECK(pki, "tests need a working libcrypto");
  return *std::move(pki);
}

Signature signed_with(const SigningKey& key, Bytes message) {
  const auto signature = key.sign(message);
  CHECK(signature, "tests need a working libcrypto");
  return *signature;
}

EnclaveToken new_token(EnclaveKind kind, uint32_t partition, std::string_view name) {
  EnclaveToken token;
  token.enclave = EnclaveId::of(PartitionId{static_cast<uint8_t>(partition)}, 1).number;
  token.epoch = 1;
  token.kind = static_cast<uint32_t>(kind);
  token.issued_unix = kNow;
  const std::string text(name);
  token.program_measurement = digest_of(text + " program");
  token.manifest_measurement = digest_of(text + " manifest");
  token.device_measurement = digest_of(text + " device");
  token.peers_measurement =
      kind == EnclaveKind::kGateway ? digest_of(text + " peers") : PeersMeasurement().finish();
  token.name = Text<64>::from(name);
  token.device = Text<32>::from("cpu:0");
  return token;
}

void check(int done) { CHECK(done == 1, "making a test certificate cannot fail"); }

void add_octets(X509* certificate, const char* name, Bytes evidence) {
  const std::unique_ptr<ASN1_OBJECT, decltype(&ASN1_OBJECT_free)> oid(OBJ_txt2obj(name, 1),
                                                                      ASN1_OBJECT_free);
  const std::unique_ptr<ASN1_OCTET_STRING, decltype(&ASN1_OCTET_STRING_free)> value(
      ASN1_OCTET_STRING_new(), ASN1_OCTET_STRING_free);
  check(ASN1_OCTET_STRING_set(value.get(), evidence.data(), static_cast<int>(evidence.size())));
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), 0, value.get()), X509_EXTENSION_free);
  check(X509_add_ext(certificate, extension.get(), -1));
}

// Where the list of tokens begins in `evidence`; its end when there is none.
size_t tokens_begin(Bytes evidence) {
  const auto decoded = decode_evidence(evidence);
  if (!decoded) return evidence.size();
  return encode_quote(decoded->quote, decoded->claims).size();
}

}  // namespace

Sha384Digest digest_of(std::string_view text) { return sha384(bytes_of(text)); }

Signer::Signer() : Signer(new_pki()) {}

Signer::Signer(certify::DevelopmentPki pki)
    : root(std::move(pki.root)),
      attestation(std::move(pki.attestation)),
      chain(std::move(pki.chain)),
      monitor(new_key(Curve::kP256)),
      tls(new_key(Curve::kP384)) {
  quote.issued_unix = kNow;
  quote.platform_measurement = digest_of("platform");
  quote.security_version = 3;
  tokens.push_back(new_token(EnclaveKind::kGateway, 1, "gateway"));
  tokens[0].key_hash = sha384(tls.public_der());
}

void Signer::change_root() {
  certify::DevelopmentPki pki = new_pki();
  root = std::move(pki.root);
  attestation = std::move(pki.attestation);
  chain = std::move(pki.chain);
}

EnclaveToken& Signer::add_model(std::string_view name) {
  const auto partition = static_cast<uint32_t>(tokens.size() + 1);
  tokens.push_back(new_token(EnclaveKind::kModel, partition, name));
  tokens.back().model_version = 1;
  tokens.back().model_measurement = digest_of(std::string(name) + " model");
  return tokens.back();
}

EnclaveToken& Signer::add_device(std::string_view name, std::string_view device) {
  const auto partition = static_cast<uint32_t>(tokens.size() + 1);
  tokens.push_back(new_token(EnclaveKind::kDevice, partition, name));
  tokens.back().device = Text<32>::from(device);
  return tokens.back();
}

void Signer::lead(size_t leader, uint32_t count) {
  PeersMeasurement peers;
  for (uint32_t i = 0; i < count; ++i) peers.add(tokens[leader + 1 + i]);
  tokens[leader].peers_measurement = peers.finish();
  tokens[leader].peer_count = count;
}

void Signer::set_nonce(const Nonce& nonce) {
  for (EnclaveToken& token : tokens) token.nonce = nonce;
}

void Signer::make_claims() {
  claims =
      encode_claims(sha256(tls.public_der()), quote.platform_measurement, monitor.public_der());
  quote.report_data = report_data_of(claims);
}

void Signer::sign_quote() { quote.signature = signed_with(attestation, quote.signed_bytes()); }

void Signer::sign_tokens() {
  for (EnclaveToken& token : tokens) token.signature = signed_with(monitor, token.signed_bytes());
}

void Signer::sign() {
  make_claims();
  sign_quote();
  sign_tokens();
}

std::vector<uint8_t> Signer::evidence() const {
  return encode_evidence(whole_quote(), claims, tokens,
                         std::vector<Bytes>(devices.begin(), devices.end()));
}

std::vector<uint8_t> Signer::whole_quote() const {
  auto whole =
      encode_hardware_quote(RootKind::kSoftware, kSoftwareProvider, bytes_of(quote), chain, {});
  CHECK(whole, "tests make chains that there is room for");
  return *std::move(whole);
}

std::vector<uint8_t> make_certificate(const SigningKey& key, Bytes evidence, int copies) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  check(X509_set_version(certificate.get(), X509_VERSION_3));
  check(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1));
  check(ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate.get()), "19700101000000Z"));
  check(ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate.get()), "99991231235959Z"));
  X509_NAME* name = X509_get_subject_name(certificate.get());
  check(X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC,
      static_cast<const unsigned char*>(static_cast<const void*>("casemate test")), -1, -1, 0));
  check(X509_set_issuer_name(certificate.get(), name));
  check(X509_set_pubkey(certificate.get(), key.native()));
  const size_t cut = tokens_begin(evidence);
  for (int i = 0; i < copies; ++i) {
    add_octets(certificate.get(), kEvidenceOid, evidence.first(cut));
    if (cut < evidence.size()) add_octets(certificate.get(), kTokensOid, evidence.subspan(cut));
  }
  CHECK(X509_sign(certificate.get(), key.native(), EVP_sha384()) > 0, "signing cannot fail");
  std::vector<uint8_t> der(static_cast<size_t>(i2d_X509(certificate.get(), nullptr)));
  uint8_t* at = der.data();
  i2d_X509(certificate.get(), &at);
  return der;
}

}  // namespace casemate::verify::testing
