// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmKey: a TPM's public key with what the TPM says of it (TPM 2.0 Library, part 2, TPMT_PUBLIC).
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the bytes may be hostile. What they say of the key is so only where its name, which
//            is a hash of them, is vouched for.
//   Fails    kInvalid with the field; kUnsupported for algorithms that are not read here.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

struct TpmKey {
  uint16_t type = 0;        // tpm::kRsa or tpm::kEcc
  uint32_t attributes = 0;  // TPMA_OBJECT
  uint16_t scheme = 0;      // tpm::kEcdsa, kRsassa; kNull: none is fixed
  uint16_t scheme_hash = 0;
  uint16_t symmetric_bits = 0;  // of the AES-CFB key of a key that decrypts; 0: it has none
  std::string_view curve;       // "P-256", "P-384"; empty for RSA
  std::vector<uint8_t> spki;    // the key itself, DER
  std::vector<uint8_t> name;    // TPM_ALG_ID and hash: two bytes and 32 or 48
};

// ECC on P-256 and P-384, RSA of 2,048 to 4,096 bits; names by SHA-256 and SHA-384.
Result<TpmKey> read_tpm_key(Bytes tpmt_public);

// The key can only sign what the TPM itself says, and has never been outside it.
Status check_attestation_key(const TpmKey& key);

// The name of a primary key of the endorsement hierarchy, as quotes have it: part 1, section 16.
std::vector<uint8_t> qualified_name(const TpmKey& key);

// Succeeds when `tpmt_signature`, and nothing behind it, is the key's over `message`.
Status check_tpm_signature(const TpmKey& key, Bytes message, Bytes tpmt_signature);

}  // namespace casemate::verify
