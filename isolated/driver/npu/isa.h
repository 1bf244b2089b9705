// SPDX-License-Identifier: Apache-2.0
#pragma once
// The instruction set of the inference accelerator: 128-bit instructions, 32-bit micro-operations.
//
// It is VTA's (Moreau et al., "A Hardware-Software Blueprint for Flexible Deep Learning
// Specialization", IEEE Micro 39(5), 2019, sections 2 and 3), with these additions: what a load
// pads with is a field of it, 32-bit accumulators can be stored, the ALU multiplies. Batch 1,
// blocks of 16 by 16. Fields stand from bit 0 upwards in the order given, as in VTA.
//
//   all             opcode 3 · pop previous 1 · pop next 1 · push previous 1 · push next 1
//   LOAD, STORE     memory 3 · buffer 14 · pad value 8 · device memory 32 ‖ rows 16 · columns 16 ·
//                   stride 16 · pad above 4 · below 4 · left 4 · right 4
//   GEMM            reset 1 · first micro-op 13 · last + 1 14 · outer 14 · inner 14 · 0 1 ‖
//                   dst outer 11 · inner 11 · src outer 11 · inner 11 · weight outer 10 · inner 10
//   ALU             0 1 · first micro-op 13 · last + 1 14 · outer 14 · inner 14 · 0 1 ‖
//                   dst outer 11 · inner 11 · src outer 11 · inner 11 · operation 3 ·
//                   immediate? 1 · immediate 16
//   FINISH          zeros
//   micro-op        dst 11 · src 11 · weight 10
//
//   Owns     nothing: values and pure functions.
//   Threads  pure functions.
//   Trust    decode() takes bytes that an attacker has written and refuses every field that means
//            nothing; where an instruction may reach is the machine's to check (core.h).
//   Fails    decode and encode return kInvalid with the field.

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace casemate::npu {

inline constexpr uint32_t kBlock = 16;  // channels in an element
inline constexpr uint32_t kInstructionBytes = 16;

// The buffers on the chip, each addressed in elements of its own.
enum class Memory : uint8_t { kMicroOps, kWeights, kInputs, kAccumulators, kOutputs };
inline constexpr uint32_t kMemories = 5;

// Bytes of an element: a micro-op, 16 x 16 bytes, 16 bytes, 16 x 32 bits, 16 bytes.
constexpr uint32_t element_bytes(Memory memory) {
  constexpr std::array<uint32_t, kMemories> kBytes = {4, 256, 16, 64, 16};
  return kBytes[static_cast<size_t>(memory)];
}
// Elements that it holds: 32, 256, 32, 128 and 32 KiB, VTA's default configuration.
constexpr uint32_t capacity(Memory memory) {
  constexpr std::array<uint32_t, kMemories> kElements = {8192, 1024, 2048, 2048, 2048};
  return kElements[static_cast<size_t>(memory)];
}
std::string_view name_of(Memory memory);

enum class Opcode : uint8_t { kLoad, kStore, kGemm, kFinish, kAlu };

// Shifts are arithmetic, by at most 31 to the right and, where negative, at most 32 to the left.
// Sums and products wrap.
enum class AluOperation : uint8_t { kMin, kMax, kAdd, kShiftRight, kMultiply };

// The three modules that run instructions, and their order: previous and next are neighbours in it.
enum class Module : uint8_t { kLoad, kCompute, kStore };
inline constexpr uint32_t kModules = 3;
std::string_view name_of(Module module);

// What an instruction waits for before it runs, and announces when it is done.
struct Tokens {
  bool pop_previous = false;
  bool pop_next = false;
  bool push_previous = false;
  bool push_next = false;
  bool operator==(const Tokens&) const = default;
};

// A rectangle of elements: rows in device memory lie `stride` apart, in the buffer one behind the
// other with their padding.
struct Transfer {
  Memory memory = Memory::kMicroOps;
  uint16_t buffer = 0;
  int8_t pad_value = 0;
  uint32_t device = 0;
  uint16_t rows = 0;
  uint16_t columns = 0;
  uint16_t stride = 0;
  uint8_t pad_above = 0;
  uint8_t pad_below = 0;
  uint8_t pad_left = 0;
  uint8_t pad_right = 0;
  bool operator==(const Transfer&) const = default;
};

// How far an operand moves with each turn of the two loops.
struct Steps {
  uint16_t outer = 0;
  uint16_t inner = 0;
  bool operator==(const Steps&) const = default;
};

// Two loops around a sequence of micro-ops.
struct Sweep {
  uint16_t first = 0;
  uint16_t end = 0;
  uint16_t outer = 0;
  uint16_t inner = 0;
  Steps dst;
  Steps src;
  Steps weight;
  bool operator==(const Sweep&) const = default;
};

// An instruction; the parts that its opcode does not use are as they are made.
struct Instruction {
  Opcode opcode = Opcode::kFinish;
  Tokens tokens;
  Transfer transfer;
  Sweep sweep;
  bool reset = false;  // a GEMM that makes accumulators 0
  AluOperation operation = AluOperation::kMin;
  bool immediate = false;  // the ALU's second operand is `value`, not an accumulator
  int16_t value = 0;
  bool operator==(const Instruction&) const = default;
};

struct MicroOp {
  uint16_t dst = 0;
  uint16_t src = 0;
  uint16_t weight = 0;
  bool operator==(const MicroOp&) const = default;
};

// Who runs it.
Module module_of(const Instruction& instruction);

Result<ByteArray<kInstructionBytes>> encode(const Instruction& instruction);
Result<Instruction> decode(const ByteArray<kInstructionBytes>& bytes);

// Every word is a micro-op.
Result<uint32_t> encode(const MicroOp& op);
constexpr MicroOp decode_micro_op(uint32_t word) {
  return {.dst = static_cast<uint16_t>(word & 0x7ff),
          .src = static_cast<uint16_t>(word >> 11 & 0x7ff),
          .weight = static_cast<uint16_t>(word >> 22)};
}

// One line, such as "LOAD input[0..] <- 1024, 4 x 6 of stride 8".
std::string text_of(const Instruction& instruction);

}  // namespace casemate::npu
