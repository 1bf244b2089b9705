// SPDX-License-Identifier: Apache-2.0
#pragma once
// Credentials: what can be read only by the TPM that has an endorsement key, and only while it
// holds a certain other key (TPM 2.0 Library, part 1, section 24: TPM2_MakeCredential, done without
// a TPM).
//
//   Owns     values.
//   Threads  pure functions, but for the random numbers.
//   Trust    the endorsement key is whose its certificate says: the caller has checked it.
//   Fails    kUnsupported for a key that is not RSA of 2,048 bits; kPlatform from libcrypto.

#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace casemate::certify {

// TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. `endorsement_key` is SPKI DER, of a key of the
// profile's first template (SHA-256, AES-128-CFB); `key_name` is the TPM's name of the other key.
// Requires: at most 32 bytes of secret.
Result<std::vector<uint8_t>> make_credential(Bytes endorsement_key, Bytes key_name, Bytes secret,
                                             Random& random);

}  // namespace casemate::certify
