// SPDX-License-Identifier: Apache-2.0
#pragma once
// Decoding of evidence: from the bytes of a certificate extension or an evidence endpoint to quote,
// claims and tokens. Nothing is believed here; verify.h does that.
//
//   Owns     Evidence borrows quote, claims and what devices say from the bytes that it was decoded
//            from; Claims borrows the monitor key likewise.
//   Threads  pure functions.
//   Trust    the bytes may be hostile: at most kProofBytes, one spelling, nothing behind.
//   Fails    kInvalid with the field and the offset; kTooLarge beyond the limit.

#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {

// The parts of the items described in wire/evidence/evidence.h, one behind the other.
struct Evidence {
  Bytes quote;
  Bytes claims;
  std::vector<EnclaveToken> tokens;
  std::vector<Bytes> devices;  // what accelerators say of themselves
};

// What the quote's report data commit to.
struct Claims {
  KeyUse use = KeyUse::kTls;
  Sha256Digest key_hash{};
  Sha384Digest platform{};  // the monitor's measurement of itself
  Bytes monitor_key;        // SPKI DER, as sent
};

Result<Evidence> decode_evidence(Bytes bytes);

// What devices say is what tokens name, each once, in the order in which they are first named, and
// nothing else.
Status check_devices(const Evidence& evidence);

// Exactly the three known claims, each once, encoded as encode_claims() does.
Result<Claims> decode_claims(Bytes bytes);

}  // namespace casemate::verify
