// SPDX-License-Identifier: Apache-2.0
#pragma once
// The commands that attestation takes of a TPM: an attestation key, PCRs, quotes; and, to have the
// key certified, the endorsement key that the TPM's maker has certified.
//
//   Owns     nothing: keys stay in the TPM until their handle is flushed.
//   Threads  one.
//   Trust    as TpmDevice: an answer out of form is refused, its content is for verifiers to judge.
//   Fails    as TpmDevice.

#include "trusted/attest/tpm/device.h"

namespace casemate::attest {

// Signs only what begins with the TPM's own magic: ECDSA, P-256, SHA-256, which every TPM 2.0 has.
Result<TpmDevice::Answer> make_attestation_key(TpmDevice& device);

struct TpmSigned {
  std::vector<uint8_t> attest;     // TPMS_ATTEST
  std::vector<uint8_t> signature;  // TPMT_SIGNATURE
  [[nodiscard]] Bytes pcr_digest() const { return Bytes(attest).last(sizeof(Sha256Digest)); }
};
// Quotes tpm::kQuotedPcrs of the SHA-256 bank.
Result<TpmSigned> quote_pcrs(TpmDevice& device, uint32_t key, const Sha256Digest& extra_data);
// Their values, in order.
Result<std::vector<uint8_t>> read_pcrs(TpmDevice& device);
Status reset_own_pcr(TpmDevice& device);
Status extend_own_pcr(TpmDevice& device, const Sha256Digest& digest);

}  // namespace casemate::attest
