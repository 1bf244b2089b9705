// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/isa.h"

#include <bit>
#include <type_traits>

#include "base/format.h"

namespace casemate::npu {
namespace {

using Words = std::array<uint64_t, 2>;

// Puts fields into a pair of words, one behind the other.
class Encoder {
 public:
  template <class T>
  void field(const T& value, uint32_t bits, std::string_view name) {
    uint64_t raw = 0;
    if constexpr (std::is_signed_v<T>) {
      raw = static_cast<std::make_unsigned_t<T>>(value);
    } else {
      raw = static_cast<uint64_t>(value);
    }
    if (bits < 64 && raw >> bits != 0) {
      if (wrong_.empty()) wrong_ = name;
      raw = 0;
    }
    words_[at_ / 64] |= raw << at_ % 64;
    at_ += bits;
  }
  void zeros(uint32_t bits) { at_ += bits; }
  void next_word() { at_ = 64; }

  [[nodiscard]] const Words& words() const { return words_; }
  [[nodiscard]] std::string_view wrong() const { return wrong_; }

 private:
  Words words_ = {};
  uint32_t at_ = 0;
  std::string_view wrong_;
};

// Takes them out again, and remembers whether a bit is set that no field has.
class Decoder {
 public:
  explicit Decoder(const Words& words) : words_(words) {}

  template <class T>
  void field(T& value, uint32_t bits, std::string_view) {
    const uint64_t raw = words_[at_ / 64] >> at_ % 64 & ((1ull << bits) - 1);
    words_[at_ / 64] ^= raw << at_ % 64;
    value = static_cast<T>(raw);
    at_ += bits;
  }
  void zeros(uint32_t bits) { at_ += bits; }
  void next_word() { at_ = 64; }
  // Requires: all fields were taken.
  [[nodiscard]] bool rest_is_zero() const { return words_[0] == 0 && words_[1] == 0; }

 private:
  Words words_;
  uint32_t at_ = 0;
};

// The fields of an instruction, for both directions.
template <class Coder, class Head>
void head_fields(Coder& coder, Head& i) {
  coder.field(i.opcode, 3, "opcode");
  coder.field(i.tokens.pop_previous, 1, "pop previous");
  coder.field(i.tokens.pop_next, 1, "pop next");
  coder.field(i.tokens.push_previous, 1, "push previous");
  coder.field(i.tokens.push_next, 1, "push next");
}

template <class Coder, class Part>
void transfer_fields(Coder& coder, Part& t) {
  coder.field(t.memory, 3, "memory");
  coder.field(t.buffer, 14, "buffer address");
  coder.field(t.pad_value, 8, "pad value");
  coder.field(t.device, 32, "device address");
  coder.field(t.rows, 16, "rows");
  coder.field(t.columns, 16, "columns");
  coder.field(t.stride, 16, "stride");
  coder.field(t.pad_above, 4, "padding above");
  coder.field(t.pad_below, 4, "padding below");
  coder.field(t.pad_left, 4, "padding on the left");
  coder.field(t.pad_right, 4, "padding on the right");
}

template <class Coder, class Part>
void sweep_fields(Coder& coder, Part& s) {
  coder.field(s.first, 13, "first micro-op");
  coder.field(s.end, 14, "end of the micro-ops");
  coder.field(s.outer, 14, "outer turns");
  coder.field(s.inner, 14, "inner turns");
  coder.next_word();
  coder.field(s.dst.outer, 11, "outer step of dst");
  coder.field(s.dst.inner, 11, "inner step of dst");
  coder.field(s.src.outer, 11, "outer step of src");
  coder.field(s.src.inner, 11, "inner step of src");
}

template <class Coder, class Whole>
void body_fields(Coder& coder, Whole& i) {
  switch (i.opcode) {
    case Opcode::kLoad:
    case Opcode::kStore:
      transfer_fields(coder, i.transfer);
      break;
    case Opcode::kGemm:
      coder.field(i.reset, 1, "reset");
      sweep_fields(coder, i.sweep);
      coder.field(i.sweep.weight.outer, 10, "outer step of the weights");
      coder.field(i.sweep.weight.inner, 10, "inner step of the weights");
      break;
    case Opcode::kAlu:
      coder.zeros(1);
      sweep_fields(coder, i.sweep);
      coder.field(i.operation, 3, "operation");
      coder.field(i.immediate, 1, "immediate or not");
      coder.field(i.value, 16, "immediate");
      break;
    case Opcode::kFinish:
      break;
  }
}

Error illegal(std::string text) { return {Code::kInvalid, std::move(text)}; }

Status check_transfer(const Instruction& i) {
  const Transfer& t = i.transfer;
  if (static_cast<uint32_t>(t.memory) >= kMemories)
    return illegal(formatted("there is no memory {}", static_cast<uint32_t>(t.memory)));
  if (i.opcode == Opcode::kLoad) {
    if (t.memory == Memory::kOutputs) return illegal("outputs cannot be loaded");
    return {};
  }
  if (t.memory != Memory::kOutputs && t.memory != Memory::kAccumulators)
    return illegal(formatted("{} cannot be stored", name_of(t.memory)));
  if ((t.pad_above | t.pad_below | t.pad_left | t.pad_right) != 0 || t.pad_value != 0)
    return illegal("a store does not pad");
  return {};
}

// What only some instructions may say.
Status check(const Instruction& i) {
  if (i.opcode == Opcode::kLoad || i.opcode == Opcode::kStore) TRY(check_transfer(i));
  if (i.opcode == Opcode::kGemm || i.opcode == Opcode::kAlu) {
    if (i.sweep.first > i.sweep.end || i.sweep.end > capacity(Memory::kMicroOps))
      return illegal(formatted("it runs micro-ops {} to {}", i.sweep.first, i.sweep.end));
  }
  if (i.opcode == Opcode::kAlu && i.operation > AluOperation::kMultiply)
    return illegal(formatted("the ALU has no operation {}", static_cast<uint32_t>(i.operation)));
  const Module module = module_of(i);
  if (module == Module::kLoad && (i.tokens.pop_previous || i.tokens.push_previous))
    return illegal("nothing comes before the load module");
  if (module == Module::kStore && (i.tokens.pop_next || i.tokens.push_next))
    return illegal("nothing comes behind the store module");
  return {};
}

std::string text_of(const Transfer& t, bool load) {
  std::string text = formatted("{}[{}..] {} {}, {} x {}", name_of(t.memory), t.buffer,
                               load ? "<-" : "->", t.device, t.rows, t.columns);
  if (t.rows > 1) text += formatted(" of stride {}", t.stride);
  if ((t.pad_above | t.pad_below | t.pad_left | t.pad_right) != 0) {
    text += formatted(", padded by {} {} {} {} with {}", t.pad_above, t.pad_left, t.pad_below,
                      t.pad_right, t.pad_value);
  }
  return text;
}

std::string text_of(const Sweep& s) {
  return formatted("micro-ops {}..{}, {} x {} times, dst +{} +{}, src +{} +{}", s.first, s.end,
                   s.outer, s.inner, s.dst.outer, s.dst.inner, s.src.outer, s.src.inner);
}

std::string text_of(AluOperation operation) {
  constexpr std::array<std::string_view, 5> kNames = {"MIN", "MAX", "ADD", "SHR", "MUL"};
  return std::string(kNames[static_cast<size_t>(operation)]);
}

}  // namespace

std::string_view name_of(Memory memory) {
  constexpr std::array<std::string_view, kMemories> kNames = {"micro-ops", "weights", "inputs",
                                                              "accumulators", "outputs"};
  return kNames[static_cast<size_t>(memory)];
}

std::string_view name_of(Module module) {
  constexpr std::array<std::string_view, kModules> kNames = {"load", "compute", "store"};
  return kNames[static_cast<size_t>(module)];
}

Module module_of(const Instruction& i) {
  if (i.opcode == Opcode::kStore) return Module::kStore;
  const bool data = i.transfer.memory == Memory::kInputs || i.transfer.memory == Memory::kWeights;
  return i.opcode == Opcode::kLoad && data ? Module::kLoad : Module::kCompute;
}

Result<ByteArray<kInstructionBytes>> encode(const Instruction& instruction) {
  TRY(check(instruction));
  Encoder encoder;
  head_fields(encoder, instruction);
  body_fields(encoder, instruction);
  if (!encoder.wrong().empty())
    return illegal(formatted("its field '{}' has too few bits", encoder.wrong()));
  return std::bit_cast<ByteArray<kInstructionBytes>>(encoder.words());
}

Result<Instruction> decode(const ByteArray<kInstructionBytes>& bytes) {
  Decoder decoder(std::bit_cast<Words>(bytes));
  Instruction instruction;
  head_fields(decoder, instruction);
  if (instruction.opcode > Opcode::kAlu)
    return illegal(formatted("there is no opcode {}", static_cast<uint32_t>(instruction.opcode)));
  body_fields(decoder, instruction);
  if (!decoder.rest_is_zero()) return illegal("a bit is set that means nothing");
  TRY(check(instruction));
  return instruction;
}

Result<uint32_t> encode(const MicroOp& op) {
  if (op.dst >= 1u << 11 || op.src >= 1u << 11 || op.weight >= 1u << 10)
    return illegal(formatted("micro-op {} {} {} has too few bits", op.dst, op.src, op.weight));
  return static_cast<uint32_t>(op.dst | op.src << 11) | static_cast<uint32_t>(op.weight) << 22;
}

std::string text_of(const Instruction& i) {
  std::string text;
  switch (i.opcode) {
    case Opcode::kLoad:
      text = "LOAD " + text_of(i.transfer, true);
      break;
    case Opcode::kStore:
      text = "STORE " + text_of(i.transfer, false);
      break;
    case Opcode::kGemm:
      text = (i.reset ? "RESET " : "GEMM ") + text_of(i.sweep);
      break;
    case Opcode::kAlu:
      text = text_of(i.operation) + (i.immediate ? formatted(" by {} ", i.value) : " ");
      text += text_of(i.sweep);
      break;
    case Opcode::kFinish:
      text = "FINISH";
      break;
  }
  if (i.tokens.pop_previous) text += " ?previous";
  if (i.tokens.pop_next) text += " ?next";
  if (i.tokens.push_previous) text += " !previous";
  if (i.tokens.push_next) text += " !next";
  return text;
}

}  // namespace casemate::npu
