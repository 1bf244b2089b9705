// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a convolution to the accelerator's instructions, and to where everything lies in its memory:
//
//   base ─► input │ weights │ bias │ result │ micro-ops │ instructions ◄─ end
//
// Each part begins at a multiple of 256 bytes. Elements lie in these orders (layout.h packs them):
//   input    [batch, block of channels, height, width], 16 bytes each
//   weights  [block of outputs, block of inputs, plane, height, width], 16 x 16 bytes
//   bias     [block of outputs], 16 numbers of 32 bits
//   result   [batch, block of channels, height, width], 16 numbers of 32 bits
//
//   Owns     the program's bytes.
//   Threads  pure functions.
//   Trust    sizes may come from a hostile model, see convolution.h. What is compiled runs on the
//            machine without a fault; the machine does not rely on that.
//   Fails    compile() returns kInvalid, kUnsupported or kTooLarge, and what was.

#include <vector>

#include "isolated/driver/npu/tiling.h"

namespace casemate::npu {

struct CompileOptions {
  uint64_t base = 0;
  uint64_t memory_bytes = 64ull << 20;  // of the device
  // Loads for the next step, and stores of the last tile, run beside the computation. Without it,
  // each waits for the other, which is for those who want to know what that costs.
  bool overlapped = true;
};

// Addresses in device memory.
struct Placement {
  uint64_t input = 0;
  uint64_t weights = 0;
  uint64_t bias = 0;
  uint64_t result = 0;
  uint64_t micro_ops = 0;
  uint64_t instructions = 0;
  uint64_t end = 0;
};

struct Program {
  Convolution convolution;
  Placement placement;
  Tiling tiling;
  std::vector<uint8_t> micro_ops;
  std::vector<uint8_t> instructions;

  [[nodiscard]] uint64_t instruction_count() const {
    return instructions.size() / kInstructionBytes;
  }
};

Result<Program> compile(const Convolution& convolution, const CompileOptions& options);

}  // namespace casemate::npu
