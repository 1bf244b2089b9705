// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmAttest: what a TPM signs when it quotes PCRs (TPM 2.0 Library, part 2, TPMS_ATTEST).
//
//   Owns     nothing: its fields are views of the bytes that it was read from.
//   Threads  pure functions.
//   Trust    the bytes may be hostile: every length is bounded, nothing may follow, and what a TPM
//            signs beside quotes is refused.
//   Fails    kInvalid with the field.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

struct TpmAttest {
  Bytes signer;      // qualified name of the key: algorithm and hash
  Bytes extra_data;  // what the caller asked to be signed along
  uint64_t clock_ms = 0;
  uint32_t resets = 0;    // how often the TPM was switched on
  uint32_t restarts = 0;  // and resumed
  uint64_t firmware = 0;  // its version, in its maker's numbering
  uint16_t bank = 0;      // TPM_ALG_ID of the selected PCRs
  uint32_t pcrs = 0;      // one bit for each
  Bytes pcr_digest;
};

Result<TpmAttest> read_tpm_attest(Bytes bytes);

}  // namespace casemate::verify
