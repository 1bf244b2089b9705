// SPDX-License-Identifier: Apache-2.0
#pragma once
// A stream's layout: the records of its two rings, and what one end of it is handed. The monitor
// makes streams of this shape and looks at nothing in them but indices; whoever calls and is called
// is isolated (isolated/srpc).

#include "base/bytes.h"
#include "base/fd.h"
#include "base/ids.h"

namespace casemate::srpc {

inline constexpr size_t kPayloadBytes = 232;

// Both records are 256 bytes: four cache lines, one of them header.
struct Request {
  uint64_t sequence = 0;
  uint32_t epoch = 0;
  uint32_t call = 0;
  uint32_t length = 0;
  uint32_t reserved = 0;
  ByteArray<kPayloadBytes> payload{};
  [[nodiscard]] Bytes args() const { return Bytes(payload).first(length); }
};
struct Reply {
  uint64_t sequence = 0;
  uint32_t epoch = 0;
  uint32_t code = 0;
  uint32_t length = 0;
  uint32_t reserved = 0;
  ByteArray<kPayloadBytes> payload{};
  [[nodiscard]] Bytes value() const { return Bytes(payload).first(length); }
};
static_assert(sizeof(Request) == 256 && sizeof(Reply) == 256);

// One end of a stream as the monitor hands it out.
struct StreamEnd {
  StreamId id;
  Epoch epoch;
  uint32_t slots = 0;  // a power of two, at most limits::kStreamSlots
  uint64_t bulk_in_bytes = 0;
  uint64_t bulk_out_bytes = 0;
  Fd requests;
  Fd replies;
  Fd bulk_in;   // not valid when bulk_in_bytes is 0
  Fd bulk_out;  // not valid when bulk_out_bytes is 0
  Fd bell;  // an eventfd that wakes the caller's event loop; not valid when the caller sleeps on
            // the futex
};

}  // namespace casemate::srpc
