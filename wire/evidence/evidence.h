// SPDX-License-Identifier: Apache-2.0
#pragma once
// Evidence: what the monitor says about an enclave, and what the root of trust says about the
// monitor.
//
//   root of trust --quote--> claims {TLS key, monitor key} --monitor key--> token {measurements,
//   device, key}
//
// The quote is the root's own format; that of tsm, gramine and software stands behind a head, with
// its certificates (HardwareQuote; software: of a SoftwareQuote). Its report data commit to the
// claims, as in interoperable RA-TLS: report_data[0:32] = SHA-256(claims). The claims name the TLS
// key of the certificate that carries them, the monitor's measurement of itself and its signing
// key, on P-256; each token is signed by the latter. So one quote, made once a day, serves every
// client and every later token (Temper's report reuse), and a fresh nonce costs one signature for
// each enclave.
//
//   certificate extension 2.23.133.5.4.9 = CBOR tag 60000 [quote, claims]
//   claims = CBOR {"pubkey-hash": bytes of CBOR [1, SHA-256 of the TLS key's SPKI],
//                  "casemate-platform": the monitor's measurement of its program and libraries,
//                  "casemate-monitor-key": SPKI}
//   Of a key that a sealed model's key is wrapped for, "casemate-hpke-key" stands in the place of
//   "pubkey-hash": who looks for a TLS key finds none.
//   certificate extension 2.25.3801... (ours) = CBOR [token, ...]
//
// The first is what any verifier of interoperable RA-TLS reads; the second is not critical, so it
// may pass over it. The evidence endpoint sends the two values one behind the other, and behind
// them, where tokens name any, CBOR [what an accelerator says of itself, ...], each once, in the
// order in which they are first named.
//
// Tokens stand in the order of calls: the gateway's, then a model's, then those of all enclaves
// that the model calls, in the order of its streams, each followed by those that it calls in its
// turn. A token says how many it calls and a measurement over who they are, so that none can be
// left out, put in, swapped or moved.
//
// A proof is asked for with a nonce and covers the connection that it is asked on: its tokens carry
// proof_nonce() of both, never what the client sent. So a proof that somebody fetched over another
// connection, or for somebody else, proves nothing, also to whoever has stolen the TLS key.
//
// All structures are flat, little-endian and without padding, so that signing and checking need no
// parser.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    everything here may be forged until outside/verify has followed the chain.
//   Fails    encoders cannot fail; check_* return kInvalid and the first thing that is wrong.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/limits.h"

namespace casemate {

inline constexpr uint32_t kEvidenceTag = 60000;                // a quote with its claims
inline constexpr const char* kEvidenceOid = "2.23.133.5.4.9";  // tcg-dice-TaggedEvidence
// Ours needs no registration: an arc of its own below 2.25 for each UUID (ITU-T X.667).
inline constexpr const char* kTokensOid = "2.25.3801229559059201392822178369392420338";
using Nonce = ByteArray<32>;
// What both ends of one TLS connection know and no other has: the exporter of RFC 9266.
using SessionBinding = ByteArray<32>;

enum class EnclaveKind : uint32_t {
  kGateway = 1,
  kModel = 2,
  kProgram = 3,  // an unmodified program, and the little that starts it
  kDevice = 4,   // whoever drives an accelerator for another enclave
};

// What evidence can be rooted in. Numbers are part of the ABI.
enum class RootKind : uint32_t {
  kSoftware = 1,  // keys in files, for development
  kTpm = 2,
  kTsm = 3,      // a confidential guest: SEV-SNP, TDX, CCA, through Linux's configfs-tsm
  kGramine = 4,  // an SGX enclave under Gramine
};
inline constexpr uint32_t kRootKinds = 4;  // they are 1 to this
// "software", "tpm", "tsm", "gramine", as policies and people call them; "unknown".
std::string_view name_of(RootKind root);

// What a key is for that the root vouches for. The claims say it by the name of the first of them.
enum class KeyUse : uint8_t { kTls, kHpke };
std::string_view claim_of(KeyUse use);  // "pubkey-hash", "casemate-hpke-key"

// In the state folder: the development root's attestation key (PKCS #8), and its certificate, that
// of who certified it and the root's, in DER one behind the other.
inline constexpr const char* kSoftwareKeyFile = "development-attestation.key";
inline constexpr const char* kSoftwareChainFile = "development-attestation.chain";
inline constexpr std::string_view kSoftwareProvider = "casemate_dev";

// The development root's report. Laid out like hardware's: report data, measurement of what was
// booted (here: the monitor's program and libraries), a security version, a debug flag, a signature
// by the attestation key over all bytes before it. 256 bytes.
struct SoftwareQuote {
  static constexpr uint64_t kMagic = 0x544F5551574D5343;  // "CSMWQUOT"
  static constexpr uint32_t kVersion = 2;                 // 1 named its root's key itself
  static constexpr uint32_t kDebug = 1;

  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t flags = 0;
  int64_t issued_unix = 0;
  uint32_t security_version = 0;
  ByteArray<64> report_data{};
  Sha384Digest platform_measurement{};
  ByteArray<20> reserved{};
  Signature signature{};

  [[nodiscard]] Bytes signed_bytes() const {
    return bytes_of(*this).first(sizeof(*this) - sizeof(signature));
  }
};
static_assert(sizeof(SoftwareQuote) == 256);

// A quote of hardware, as the kernel or a library OS hands it out, or of the development root: this
// head, and behind it, unchanged and in this order, the report, what the provider adds to it
// (SEV-SNP: a table of certificates) and a service's manifest. 64 bytes.
struct HardwareQuote {
  static constexpr uint64_t kMagic = 0x45545157484D5343;  // "CSMHWQTE"
  static constexpr uint32_t kVersion = 1;

  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t root = 0;  // RootKind
  Text<32> provider;  // says what the report is: "sev_guest", "tdx_guest", "arm_cca_guest"; "dcap"
  uint32_t report_size = 0;
  uint32_t auxiliary_size = 0;
  uint32_t manifest_size = 0;
  uint32_t reserved = 0;
};
static_assert(sizeof(HardwareQuote) == 64);
// All of a quote: a report with its certificates (SEV-SNP: 1,184 bytes and, by the kernel's limit,
// 16 KiB; TDX: 8 KiB; CCA: 4 KiB), and as much again for what is longer.
inline constexpr size_t kQuoteBytes = 32 << 10;
// Three keys or hashes with their names.
inline constexpr size_t kClaimsBytes = 512;
// A quote, claims of 300 bytes, and up to nineteen tokens; OpenSSL takes certificates up to 100
// KiB.
inline constexpr size_t kEvidenceBytes = kQuoteBytes + limits::kEvidenceBytes;
// Of one device, where a quote goes otherwise: a GPU's answer in hexadecimal is 11 KiB, and its
// five certificates in PEM are 8.
inline constexpr size_t kDeviceEvidenceBytes = kQuoteBytes;
// What the endpoint sends: all that, and two devices that say as much as they may.
inline constexpr size_t kProofBytes = kEvidenceBytes + 2 * (kDeviceEvidenceBytes + 8);

// What the monitor says about one enclave. 768 bytes.
struct EnclaveToken {
  static constexpr uint64_t kMagic = 0x4E454B4F544D5343;  // "CSMTOKEN"
  static constexpr uint32_t kVersion = 3;                 // 2 was signed over P-384
  static constexpr uint32_t kDebug = 1;

  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t flags = 0;
  uint32_t enclave = 0;  // EnclaveId
  uint32_t epoch = 0;    // of its partition
  uint32_t kind = 0;     // EnclaveKind
  uint32_t model_version = 0;
  int64_t issued_unix = 0;
  Nonce nonce{};                        // of the proof; zero in evidence that is reused
  Sha384Digest program_measurement{};   // program and libraries
  Sha384Digest manifest_measurement{};  // limits, calls, device, peers
  Sha384Digest model_measurement{};     // model files; zero for a gateway
  Sha384Digest device_measurement{};    // driver and device description
  Sha384Digest key_hash{};              // SHA-384 of the enclave's SPKI; zero if it has no key
  Sha384Digest peers_measurement{};     // PeersMeasurement over the enclaves that it streams to
  Text<64> name;                        // "gateway", or the model's name
  Text<32> device;                      // "cpu:0"
  uint32_t peer_count = 0;              // how many those are
  // SHA-384 of what the device says of itself; zero: nothing. In no measurement: that of a GPU is
  // another at each start, so it is judged on its own.
  Sha384Digest device_evidence{};
  ByteArray<164> reserved{};
  Signature signature{};

  [[nodiscard]] Bytes signed_bytes() const {
    return bytes_of(*this).first(sizeof(*this) - sizeof(signature));
  }
};
static_assert(sizeof(EnclaveToken) == 768);

// Magic, version, reserved bytes and text fields are as this build writes them.
Status check_form(const SoftwareQuote& quote);
Status check_form(const EnclaveToken& token);

// kTooLarge when all of it is more than kQuoteBytes.
Result<std::vector<uint8_t>> encode_hardware_quote(RootKind root, std::string_view provider,
                                                   Bytes report, Bytes auxiliary, Bytes manifest);

// The claims that a quote's report data commit to, deterministically encoded (RFC 8949,
// section 4.2).
std::vector<uint8_t> encode_claims(const Sha256Digest& key_hash, const Sha384Digest& platform,
                                   Bytes monitor_key_der, KeyUse use = KeyUse::kTls);
// SHA-256(claims) and 32 zero bytes.
ByteArray<64> report_data_of(Bytes claims);

// A measurement over the enclaves that one streams to, in the order of its streams.
class PeersMeasurement final {
 public:
  PeersMeasurement& add(std::string_view name, const Sha384Digest& program,
                        const Sha384Digest& manifest, const Sha384Digest& model,
                        const Sha384Digest& device);
  PeersMeasurement& add(const EnclaveToken& peer);
  // Requires: called once, last.
  Sha384Digest finish() { return hash_.finish(); }

 private:
  Sha384 hash_;
};

// What the tokens of a proof carry for a client's nonce on a connection. Never zero in practice,
// and a hash that nothing else makes: a signed token never holds what a client chose.
Nonce proof_nonce(const Nonce& nonce, const SessionBinding& session);

// The values of the two extensions.
std::vector<uint8_t> encode_quote(Bytes quote, Bytes claims);
std::vector<uint8_t> encode_tokens(std::span<const EnclaveToken> tokens);
// Both, one behind the other, and what devices say: what the endpoint sends, and what is verified.
std::vector<uint8_t> encode_evidence(Bytes quote, Bytes claims,
                                     std::span<const EnclaveToken> tokens,
                                     std::span<const Bytes> devices = {});

}  // namespace casemate
