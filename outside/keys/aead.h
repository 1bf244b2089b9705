// SPDX-License-Identifier: Apache-2.0
#pragma once
// AES-256-GCM, one message at a time: chunks of packages, and keys at rest. And HMAC-SHA256, for
// what is kept in the open and must not change.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    open_bytes() takes anybody's bytes.
//   Fails    open_bytes() with kInvalid for what was not sealed with this key, nonce and label.

#include <vector>

#include "base/derive.h"
#include "base/result.h"

namespace casemate::keys {

inline constexpr size_t kTag = 16;

// The ciphertext, and behind it the tag. Requires: no other message has this key and nonce.
std::vector<uint8_t> seal_bytes(const SecretKey& key, const ByteArray<12>& nonce, Bytes label,
                                Bytes plain);
Result<std::vector<uint8_t>> open_bytes(const SecretKey& key, const ByteArray<12>& nonce,
                                        Bytes label, Bytes sealed);

ByteArray<32> tag_of(const SecretKey& key, Bytes message);

}  // namespace casemate::keys
