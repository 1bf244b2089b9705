// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the accelerator computes with: its buffers, the matrix unit and the ALU. No time passes here
// (machine.h): an instruction is checked and priced, and later done.
//
//   matrix unit   accumulators[dst] += inputs[src] · weights[w], 16 x 16 bytes, summed in 32 bits
//                 that wrap
//   ALU           accumulators[dst] = accumulators[dst] op (accumulators[src] or an immediate)
//   outputs[dst]  follow the accumulators: the low 8 bits of what is written there
//
//   Owns     the buffers.
//   Threads  one.
//   Trust    instructions come from an attacker: check() is asked before an instruction is done,
//            and knows every element that it reaches. Micro-ops and device memory may change only
//            through instructions that are done in between.
//   Fails    check() returns where an instruction reaches that it may not; the rest cannot fail.

#include <memory>
#include <optional>
#include <vector>

#include "isolated/driver/npu/isa.h"

namespace casemate::npu {

// An instruction that reaches beyond a memory.
struct Overreach {
  std::optional<Memory> buffer;  // none: device memory
  uint64_t address = 0;          // the first byte beyond, or the element
};

class Core final {
 public:
  Core();

  // Whether it stays within the buffers and `device_bytes` of device memory.
  [[nodiscard]] std::optional<Overreach> check(const Instruction& i, uint64_t device_bytes) const;

  // Does it. Requires: check() of it was empty.
  void load(const Transfer& transfer, Bytes device);
  void store(const Transfer& transfer, MutableBytes device) const;
  void gemm(const Instruction& instruction);
  void alu(const Instruction& instruction);

  // Makes all buffers zero.
  void scrub();

  // The bytes of a buffer, for who looks on.
  [[nodiscard]] Bytes bytes(Memory memory) const;

 private:
  using Lanes = std::array<int32_t, kBlock>;
  using Bytes16 = std::array<int8_t, kBlock>;
  using Matrix = std::array<Bytes16, kBlock>;  // a row for each output channel

  [[nodiscard]] std::optional<Overreach> check_sweep(const Instruction& i) const;
  MutableBytes bytes(Memory memory);
  void write(uint32_t dst, const Lanes& lanes);

  std::vector<uint32_t> micro_ops_;
  std::vector<Matrix> weights_;
  std::vector<Bytes16> inputs_;
  std::vector<Lanes> accumulators_;
  std::vector<Bytes16> outputs_;
};

// Elements that a transfer has in the buffer, padding and all, and in device memory.
uint64_t buffer_elements(const Transfer& transfer);
uint64_t device_elements(const Transfer& transfer);
// Turns of a sweep's innermost loop.
uint64_t turns(const Sweep& sweep);

}  // namespace casemate::npu
