// SPDX-License-Identifier: Apache-2.0
#pragma once
// Derivation: keys from one secret, each for one purpose. HKDF with SHA-384 (RFC 5869).
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    `secret` is secret, the rest may be known to anybody.
//   Fails    cannot, but for a failure of libcrypto, which ends the process.

#include "base/bytes.h"

namespace casemate {

using SecretKey = ByteArray<32>;

// Who knows keys of other labels or salts learns nothing about this one.
SecretKey derive_key(Bytes secret, Bytes salt, Bytes label);

}  // namespace casemate
