// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmQuote: what the TPM root puts into evidence, and the few numbers of TPM 2.0 (Library, part 2)
// that the monitor, the verifier and the certifier share.
//
//   head | TPMS_ATTEST | TPMT_SIGNATURE | TPMT_PUBLIC of the key | its certificate, or nothing |
//   values of the selected PCRs, in order | the monitor's own events
//
// The TPM signs TPMS_ATTEST: its extraData is SHA-256 of the head's signed bytes (64 bytes of
// report data would not fit: a TPM takes no more than its largest digest), its PCR digest is that
// of the values. PCR 23 is the monitor's: from zero it was extended with SHA-256 of each event.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    everything here may be forged until outside/verify/tpm has followed the chain.
//   Fails    the encoder cannot.

#include "base/crypto.h"
#include "wire/tpm/marshal.h"

namespace casemate {

namespace tpm {
inline constexpr uint16_t kRsa = 0x0001, kAes = 0x0006, kSha256 = 0x000B, kSha384 = 0x000C,
                          kNull = 0x0010, kRsassa = 0x0014, kEcdsa = 0x0018, kEcc = 0x0023,
                          kCfb = 0x0043;                   // TPM_ALG_ID
inline constexpr uint16_t kP256 = 0x0003, kP384 = 0x0004;  // TPM_ECC_CURVE
inline constexpr uint32_t kEndorsement = 0x4000000B;       // TPM_RH_ENDORSEMENT
// TPMA_OBJECT. Restricted and signing: it signs what the TPM itself says, and nothing else.
inline constexpr uint32_t kFixedTpm = 1 << 1, kFixedParent = 1 << 4, kSensitiveDataOrigin = 1 << 5,
                          kUserWithAuth = 1 << 6, kNoDa = 1 << 10, kRestricted = 1 << 16,
                          kDecrypt = 1 << 17, kSign = 1 << 18;
// What is quoted: firmware (0-7), boot loader and kernel (8, 9), a unified kernel image, its
// command line and extensions (11-13), the owner's keys for it (14), the monitor (23). 10 and 15
// are left out: they change while programs run.
inline constexpr uint32_t kOwnPcr = 23;
inline constexpr uint32_t kQuotedPcrs = 0x807BFF;
}  // namespace tpm

struct TpmQuoteHead {
  static constexpr uint64_t kMagic = 0x544F55514D505443;  // "CTPMQUOT"
  static constexpr uint32_t kVersion = 1;
  enum Part { kAttest, kSignature, kKey, kCertificate, kPcrs, kEvents, kParts };

  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t reserved = 0;
  int64_t issued_unix = 0;
  ByteArray<64> report_data{};
  std::array<uint16_t, kParts> sizes{};  // of what follows; not signed, since each part is
  uint32_t reserved_too = 0;

  [[nodiscard]] Bytes signed_bytes() const { return bytes_of(*this).first(88); }
};
static_assert(sizeof(TpmQuoteHead) == 104);

// The monitor's own events, each u32 kind and TPM2B data.
enum class TpmEvent : uint32_t {
  kPlatform = 1,  // SHA-384 over the monitor's program and libraries
  kFlags = 2,     // u32: kTpmDebug
};
inline constexpr uint32_t kTpmDebug = 1;

// The key's certificate, DER, in the monitor's state folder.
inline constexpr const char* kTpmCertificateFile = "tpm-key.der";

// The head, whose sizes are filled in, and the parts. Requires: each part below 64 KiB.
inline std::vector<uint8_t> encode_tpm_quote(TpmQuoteHead head,
                                             std::span<const Bytes, TpmQuoteHead::kParts> parts) {
  TpmWriter out;
  for (size_t i = 0; i < parts.size(); ++i) head.sizes[i] = static_cast<uint16_t>(parts[i].size());
  out.bytes(bytes_of(head));
  for (const Bytes part : parts) out.bytes(part);
  return out.take();
}

}  // namespace casemate
