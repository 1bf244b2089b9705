// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keys: how the keys of sealed models get past the monitor. On the operator's socket, beside
// wire/abi/operator.h, a program that belongs to the operator asks which templates wait for a key,
// has the monitor vouch for one of them with the key service's nonce, and brings the service's
// answer. It can keep an answer back, and read nothing: what it carries is public or sealed for the
// template.

#include <cstdint>

#include "base/bytes.h"
#include "wire/control/control.h"

namespace casemate::operating {

enum class KeyCommand : uint32_t {
  kNext = 1,    // who waits, of those whose ticket is higher than this one
  kVouch = 2,   // evidence for who waits with this ticket, with this nonce
  kUnlock = 3,  // the service's answer for him, or code and reason
};

struct KeyQuestion {
  static constexpr uint32_t kMagic = 0x594B4D43;  // "CMKY"
  uint32_t magic = kMagic;
  uint32_t command = 0;
  uint64_t ticket = 0;
  Nonce nonce{};
  uint32_t code = 0;  // kUnlock: a Code
  uint32_t answer_bytes = 0;
  Text<256> reason;
  ByteArray<512> answer{};
};

struct KeyAnswer {
  uint32_t magic = KeyQuestion::kMagic;
  uint32_t code = 0;  // kNotFound: nobody waits, or not with that ticket
  uint64_t ticket = 0;
  Text<limits::kName> name;  // of the enclave that waits
  uint32_t request_bytes = 0;
  uint32_t reserved = 0;
  ByteArray<512> request{};   // what it asks the service
  control::Message attested;  // kVouch: as an enclave gets it
};

}  // namespace casemate::operating
