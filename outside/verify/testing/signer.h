// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signer: makes evidence that passes, for tests and fuzzing. It plays a development root, monitor
// and gateway at once, with keys of its own; a test bends one part, before or after the signatures.
//
//   Owns     its keys.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "outside/certify/development_pki.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify::testing {

// 2026-03-01T00:00:00Z, when all evidence here is made.
inline constexpr int64_t kNow = 1'772'323'200;

class Signer final {
 public:
  // A platform with a gateway and no models.
  Signer();

  // Adds the token of a model enclave and returns it; the reference lasts until the next call.
  EnclaveToken& add_model(std::string_view name);
  // The same of one that drives a device for another enclave.
  EnclaveToken& add_device(std::string_view name, std::string_view device);
  // Says that the token at `leader` calls the `count` enclaves whose tokens follow it.
  void lead(size_t leader, uint32_t count);
  void set_nonce(const Nonce& nonce);

  // Fills in claims and report data, then signs everything.
  void sign();
  // The same in parts, for tests that bend something in between.
  void make_claims();
  void sign_quote();
  void sign_tokens();
  [[nodiscard]] std::vector<uint8_t> evidence() const;
  // The report and its certificates, as evidence has them.
  [[nodiscard]] std::vector<uint8_t> whole_quote() const;
  // Another root, and all keys and certificates below it.
  void change_root();

  SigningKey root;         // whose hash policies name
  SigningKey attestation;  // signs the quote
  std::vector<uint8_t> chain;
  SigningKey monitor;
  SigningKey tls;
  SoftwareQuote quote;
  std::vector<uint8_t> claims;
  std::vector<EnclaveToken> tokens;           // the gateway's first
  std::vector<std::vector<uint8_t>> devices;  // what they say, behind the tokens

 private:
  explicit Signer(certify::DevelopmentPki pki);
};

// A self-signed DER certificate over `key`, valid 1970 to 9999, that carries `evidence`, as
// encode_evidence() makes it, as often as `copies` says. What is no such evidence goes into the
// first extension whole.
std::vector<uint8_t> make_certificate(const SigningKey& key, Bytes evidence, int copies = 1);

// A digest that tells its origin: SHA-384 of the text.
Sha384Digest digest_of(std::string_view text);

}  // namespace casemate::verify::testing
