// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/core.h"

#include <algorithm>

namespace casemate::npu {
namespace {

template <class T>
MutableBytes bytes_of_all(std::vector<T>& elements) {
  return {static_cast<uint8_t*>(static_cast<void*>(elements.data())), elements.size() * sizeof(T)};
}

uint64_t width(const Transfer& t) { return uint64_t{t.pad_left} + t.columns + t.pad_right; }

// The largest index that an operand reaches in a sweep that turns at all.
uint64_t last(uint32_t base, const Steps& steps, const Sweep& sweep) {
  return base + uint64_t{steps.outer} * (sweep.outer - 1u) +
         uint64_t{steps.inner} * (sweep.inner - 1u);
}

// Calls `turn(dst, src, weight)` for each turn of a sweep.
template <class Turn>
void for_each_turn(const Sweep& s, const std::vector<uint32_t>& micro_ops, Turn turn) {
  for (uint32_t outer = 0; outer < s.outer; ++outer) {
    for (uint32_t inner = 0; inner < s.inner; ++inner) {
      for (uint32_t at = s.first; at < s.end; ++at) {
        const MicroOp op = decode_micro_op(micro_ops[at]);
        turn(op.dst + s.dst.outer * outer + s.dst.inner * inner,
             op.src + s.src.outer * outer + s.src.inner * inner,
             op.weight + s.weight.outer * outer + s.weight.inner * inner);
      }
    }
  }
}

int32_t wrapped(uint32_t value) { return static_cast<int32_t>(value); }

int32_t shifted(int32_t value, int32_t right) {
  if (right >= 0) return value >> std::min(right, 31);
  if (right <= -32) return 0;
  return wrapped(static_cast<uint32_t>(value) << -right);
}

int32_t result_of(AluOperation operation, int32_t a, int32_t b) {
  switch (operation) {
    case AluOperation::kMin:
      return std::min(a, b);
    case AluOperation::kMax:
      return std::max(a, b);
    case AluOperation::kAdd:
      return wrapped(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
    case AluOperation::kShiftRight:
      return shifted(a, b);
    case AluOperation::kMultiply:
      return wrapped(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
  }
  return a;
}

}  // namespace

uint64_t buffer_elements(const Transfer& t) {
  return (uint64_t{t.pad_above} + t.rows + t.pad_below) * width(t);
}

uint64_t device_elements(const Transfer& t) { return uint64_t{t.rows} * t.columns; }

uint64_t turns(const Sweep& s) { return uint64_t{s.outer} * s.inner * (s.end - s.first); }

Core::Core()
    : micro_ops_(capacity(Memory::kMicroOps)),
      weights_(capacity(Memory::kWeights)),
      inputs_(capacity(Memory::kInputs)),
      accumulators_(capacity(Memory::kAccumulators)),
      outputs_(capacity(Memory::kOutputs)) {}

MutableBytes Core::bytes(Memory memory) {
  switch (memory) {
    case Memory::kMicroOps:
      return bytes_of_all(micro_ops_);
    case Memory::kWeights:
      return bytes_of_all(weights_);
    case Memory::kInputs:
      return bytes_of_all(inputs_);
    case Memory::kAccumulators:
      return bytes_of_all(accumulators_);
    case Memory::kOutputs:
      return bytes_of_all(outputs_);
  }
  return {};
}

Bytes Core::bytes(Memory memory) const { return const_cast<Core*>(this)->bytes(memory); }

void Core::scrub() {
  for (uint32_t i = 0; i < kMemories; ++i)
    std::ranges::fill(bytes(static_cast<Memory>(i)), uint8_t{0});
}

std::optional<Overreach> Core::check(const Instruction& i, uint64_t device_bytes) const {
  if (i.opcode == Opcode::kFinish) return std::nullopt;
  if (i.opcode == Opcode::kGemm || i.opcode == Opcode::kAlu) return check_sweep(i);
  const Transfer& t = i.transfer;
  const uint64_t elements = buffer_elements(t);
  if (elements > 0 && t.buffer + elements > capacity(t.memory))
    return Overreach{t.memory, std::max<uint64_t>(capacity(t.memory), t.buffer)};
  if (device_elements(t) == 0) return std::nullopt;
  const uint64_t size = element_bytes(t.memory);
  const uint64_t end = t.device + (t.rows - 1ull) * t.stride + t.columns;
  if (end * size > device_bytes) return Overreach{{}, std::max(device_bytes, t.device * size)};
  return std::nullopt;
}

std::optional<Overreach> Core::check_sweep(const Instruction& i) const {
  const Sweep& s = i.sweep;
  if (turns(s) == 0) return std::nullopt;
  const bool product = i.opcode == Opcode::kGemm && !i.reset;
  const bool two_operands = i.opcode == Opcode::kAlu && !i.immediate;
  const Memory source = product ? Memory::kInputs : Memory::kAccumulators;
  for (uint32_t at = s.first; at < s.end; ++at) {
    const MicroOp op = decode_micro_op(micro_ops_[at]);
    const uint64_t dst = last(op.dst, s.dst, s);
    if (dst >= capacity(Memory::kAccumulators)) return Overreach{Memory::kAccumulators, dst};
    const uint64_t src = last(op.src, s.src, s);
    if ((product || two_operands) && src >= capacity(source)) return Overreach{source, src};
    const uint64_t weight = last(op.weight, s.weight, s);
    if (product && weight >= capacity(Memory::kWeights)) return Overreach{Memory::kWeights, weight};
  }
  return std::nullopt;
}

void Core::load(const Transfer& t, Bytes device) {
  if (buffer_elements(t) == 0) return;
  const size_t size = element_bytes(t.memory);
  const uint64_t rows = uint64_t{t.pad_above} + t.rows + t.pad_below;
  // Only inputs are bytes whose padding means a number; other elements get its byte all over, too.
  uint8_t* to = bytes(t.memory).data() + t.buffer * size;
  std::fill_n(to, rows * width(t) * size, static_cast<uint8_t>(t.pad_value));
  if (t.columns == 0) return;
  to += (t.pad_above * width(t) + t.pad_left) * size;
  for (uint64_t row = 0; row < t.rows; ++row, to += width(t) * size)
    std::copy_n(device.data() + (t.device + row * t.stride) * size, t.columns * size, to);
}

void Core::store(const Transfer& t, MutableBytes device) const {
  const size_t size = element_bytes(t.memory);
  const uint8_t* from = bytes(t.memory).data() + t.buffer * size;
  for (uint64_t row = 0; row < t.rows && t.columns > 0; ++row, from += t.columns * size)
    std::copy_n(from, t.columns * size, device.data() + (t.device + row * t.stride) * size);
}

void Core::write(uint32_t dst, const Lanes& lanes) {
  accumulators_[dst] = lanes;
  for (uint32_t i = 0; i < kBlock; ++i) outputs_[dst][i] = static_cast<int8_t>(lanes[i]);
}

void Core::gemm(const Instruction& i) {
  if (i.reset) {
    for_each_turn(i.sweep, micro_ops_, [&](uint32_t dst, uint32_t, uint32_t) { write(dst, {}); });
    return;
  }
  for_each_turn(i.sweep, micro_ops_, [&](uint32_t dst, uint32_t src, uint32_t weight) {
    const Bytes16& input = inputs_[src];
    const Matrix& matrix = weights_[weight];
    Lanes lanes = accumulators_[dst];
    for (uint32_t row = 0; row < kBlock; ++row) {
      int32_t sum = 0;  // 16 products of bytes: at most 2^18
      for (uint32_t k = 0; k < kBlock; ++k) sum += input[k] * matrix[row][k];
      lanes[row] = wrapped(static_cast<uint32_t>(lanes[row]) + static_cast<uint32_t>(sum));
    }
    write(dst, lanes);
  });
}

void Core::alu(const Instruction& i) {
  for_each_turn(i.sweep, micro_ops_, [&](uint32_t dst, uint32_t src, uint32_t) {
    Lanes lanes = accumulators_[dst];
    for (uint32_t lane = 0; lane < kBlock; ++lane) {
      const int32_t operand = i.immediate ? i.value : accumulators_[src][lane];
      lanes[lane] = result_of(i.operation, lanes[lane], operand);
    }
    write(dst, lanes);
  });
}

}  // namespace casemate::npu
