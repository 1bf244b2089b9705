// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keys: how the keys of sealed models get past the monitor. On the operator's socket, beside
// wire/abi/operator.h, a program that belongs to the operator asks which templates wait for a key,
// has the monitor vouch for one of them with a nonce of the key service, and brings the service's
// answer. It can keep an answer back, and read nothing: what it carries is public or sealed for the
// template.

#include <cstdint>

#include "base/bytes.h"
#include "wire/evidence/evidence.h"

namespace casemate::operating {

enum class KeyCommand : uint32_t {
  kNext = 1,    // who waits, of those whose ticket is higher than this one
  kVouch = 2,   // evidence about who waits with this ticket, with this nonce
  kUnlock = 3,  // the service's answer to him, or code and reason
};

struct KeyQuestion {
  static constexpr uint32_t kMagic = 0x594B4D43;  // "CMKY"
  uint32_t magic = kMagic;
  uint32_t command = 0;
  uint64_t ticket = 0;
  Nonce nonce{};
  uint32_t code = 0;  // kUnlock: a Code
  uint32_t reserved = 0;
  Text<256> reason;
  ByteArray<256> answer{};
};

struct KeyAnswer {
  uint32_t magic = KeyQuestion::kMagic;
  uint32_t code = 0;  // kNotFound: nobody waits, or not with that ticket
  uint64_t ticket = 0;
  Text<limits::kName> name;  // of the enclave that waits
  ByteArray<256> request{};  // what it asks the service
  // kVouch: the evidence about it and its key. The token's nonce is proof_nonce() of the service's
  // and the key's hash.
  uint32_t claims_bytes = 0;
  uint32_t quote_bytes = 0;
  EnclaveToken token;
  ByteArray<kClaimsBytes> claims{};
  ByteArray<kQuoteBytes> quote{};
};

}  // namespace casemate::operating
