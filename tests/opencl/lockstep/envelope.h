// SPDX-License-Identifier: Apache-2.0
#pragma once
// Envelope: AES-256-GCM around one message and its piece of bulk memory, as systems encrypt that
// call a trusted accelerator through memory that they do not trust, one call after the other.
//
//   Owns     a cipher context.
//   Threads  one.
//   Trust    none: it is here to be measured, and its key is a constant.
//   Fails    open() for what was changed.

#include <cstdint>
#include <memory>

#include "base/bytes.h"

struct evp_cipher_ctx_st;

namespace casemate::opencl::lockstep {

using Tag = ByteArray<16>;

// What lies in the last bytes of each direction's bulk memory, for the one call in flight.
struct Tags {
  Tag message{};
  Tag piece{};
};
inline constexpr uint64_t kTagBytes = 4096;

class Envelope final {
 public:
  // Both ends of a direction name it alike.
  explicit Envelope(uint8_t direction);
  ~Envelope();
  Envelope(Envelope&& other) noexcept;

  // Encrypts `plain` into `sealed` (of the same size) under the next number of the direction.
  Tag seal(Bytes plain, uint8_t* sealed);
  // The reverse; false for what does not match.
  bool open(Bytes sealed, const Tag& tag, uint8_t* plain);

 private:
  void begin(bool sealing);
  evp_cipher_ctx_st* context_;
  uint64_t number_ = 0;
  uint8_t direction_;
};

}  // namespace casemate::opencl::lockstep
