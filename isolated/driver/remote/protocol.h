// SPDX-License-Identifier: Apache-2.0
#pragma once
// Protocol: a driver's four nouns as calls of one stream, between the enclave that has a model and
// the one that has a device. Handles are numbers that the caller chooses; bytes of tensors and
// pieces lie in the stream's bulk memory, where a command keeps its region until it is done.
//
//   Owns     values.
//   Threads  values.
//   Trust    each side checks what the other wrote, on a copy.
//   Fails    across the wall goes a code alone.

#include <cstdint>

#include "base/bytes.h"

namespace casemate::driver::remote {

enum class Call : uint32_t {
  kHello = 1,     // value: Hello
  kState = 2,     // value: State
  kStage = 3,     // Stage: a part of a piece, see packed_piece.h; the parts come in order
  kTakes = 4,     // whether the device takes all nodes of the staged piece
  kCompile = 5,   // Handle: the staged piece becomes this program
  kDrop = 6,      // Handle, posted
  kAllocate = 7,  // Allocate
  kFree = 8,      // Handle, posted
  kOpen = 9,      // Handle, of a queue
  kClose = 10,    // Handle; value: Progress
  kWrite = 11,    // Copy, posted, as the next two: what is wrong with them, kWait tells
  kRun = 12,      // Run
  kRead = 13,     // Copy
  kWait = 14,     // Wait; value: Progress
  kReset = 15,    // Wait without a queue
};

struct Hello {
  Text<16> kind;
  uint64_t memory_bytes = 0;
  uint64_t buffer_bytes_max = 0;
  uint64_t alignment = 0;
  uint32_t buffers_max = 0;
  uint32_t programs_max = 0;
  uint32_t queues_max = 0;
  uint32_t commands_max = 0;
  uint32_t share_percent = 0;
  uint32_t reserved = 0;
};

struct State {
  uint32_t failed = 0;  // 1: until it is reset
  uint32_t buffers = 0;
  uint32_t programs = 0;
  uint32_t queues = 0;
  uint64_t epoch = 0;
  uint64_t memory_bytes = 0;
  uint64_t commands = 0;
  uint64_t steps = 0;
  uint64_t bytes_written = 0;
  uint64_t bytes_read = 0;
  uint64_t busy_ns = 0;
};

struct Handle {
  uint64_t number = 0;
};

struct Stage {
  uint64_t total = 0;  // bytes of the piece
  uint64_t at = 0;     // of this part in it
  uint64_t region = 0;
  uint64_t bytes = 0;
};

struct Allocate {
  uint64_t buffer = 0;
  uint64_t bytes = 0;
};

struct Copy {
  uint64_t queue = 0;
  uint64_t buffer = 0;
  uint64_t offset = 0;
  uint64_t region = 0;  // of bulk memory, in the direction of the copy
  uint64_t bytes = 0;
};

// The operands lie in the region: all inputs, then all outputs.
struct Run {
  uint64_t queue = 0;
  uint64_t program = 0;
  uint64_t region = 0;
  uint32_t inputs = 0;
  uint32_t outputs = 0;
};
struct PlacedOperand {
  uint64_t buffer = 0;
  uint64_t offset = 0;
};
inline constexpr uint32_t kOperandsMax = 4096;  // of one run

struct Wait {
  uint64_t queue = 0;
  uint64_t commands = 0;  // until so many of it have ended
  uint64_t timeout_ns = 0;
};

// How far a queue has come, since it was opened.
struct Progress {
  uint64_t done = 0;     // commands that ended well
  uint32_t failure = 0;  // Code of the first that did not, and of all behind it; 0: there is none
  uint32_t reserved = 0;
};

// Where a region begins.
inline constexpr uint64_t kAlignment = 64;

}  // namespace casemate::driver::remote
