// SPDX-License-Identifier: Apache-2.0
#pragma once
// The machine's side of having a TPM's key certified: what the TPM's maker says of it, and what an
// authority has encrypted to it.
//
//   Owns     nothing: keys go from the TPM when the call ends.
//   Threads  one.
//   Trust    whoever may open the TPM may do this, and more: it is for the machine's administrator.
//   Fails    as TpmDevice.

#include "wire/tpm/device.h"

namespace casemate::certify {

// What an authority must know: TPM2B certificate of the RSA endorsement key, as the TPM's maker has
// stored it, and TPM2B TPMT_PUBLIC of the attestation key.
Result<std::vector<uint8_t>> make_request(TpmDevice& device);

// The secret in a credential: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, as they came.
Result<std::vector<uint8_t>> activate_credential(TpmDevice& device, Bytes credential);

}  // namespace casemate::certify
