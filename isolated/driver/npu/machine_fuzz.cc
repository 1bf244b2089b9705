// SPDX-License-Identifier: Apache-2.0
// Any bytes as a program: it ends within its cycles, with a reason if it fails, and the same way
// each time.
//
//   build/asan/fuzz/isolated_driver_npu_machine_fuzz CORPUS -max_len=2048 -len_control=0
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "isolated/driver/npu/machine.h"

namespace {

using namespace casemate;
using namespace casemate::npu;

constexpr uint64_t kMemoryBytes = 1 << 16;
constexpr uint64_t kFuzzCycles = 3000;  // of 256 multiplications each

// Most random words are no instruction, and most instructions reach beyond a memory. Three of
// four become one that is small.
ByteArray<kInstructionBytes> tamed(const ByteArray<kInstructionBytes>& raw) {
  if (raw[15] % 4 == 3) return raw;
  Instruction i{.opcode = static_cast<Opcode>(raw[0] % 5)};
  i.tokens = {(raw[1] & 1) != 0, (raw[1] & 2) != 0, (raw[1] & 4) != 0, (raw[1] & 8) != 0};
  if (i.opcode == Opcode::kLoad || i.opcode == Opcode::kStore) {
    Transfer& t = i.transfer;
    t.memory = static_cast<Memory>(raw[2] % 5);
    t.buffer = raw[3];
    t.device = raw[4];
    t.rows = raw[5] % 8;
    t.columns = raw[6] % 8;
    t.stride = raw[7];
    if (i.opcode == Opcode::kLoad) {
      t.pad_value = static_cast<int8_t>(raw[8]);
      t.pad_above = raw[9] % 16;
      t.pad_below = raw[9] / 16;
      t.pad_left = raw[10] % 16;
      t.pad_right = raw[10] / 16;
    }
  } else if (i.opcode != Opcode::kFinish) {
    i.sweep = {raw[2],
               static_cast<uint16_t>(raw[2] + raw[3] % 16),
               static_cast<uint16_t>(raw[4] % 9),
               static_cast<uint16_t>(raw[5] % 9),
               {raw[6], raw[7]},
               {raw[8], raw[9]},
               {}};
    if (i.opcode == Opcode::kGemm) {
      i.reset = raw[11] % 4 == 0;
      i.sweep.weight = {raw[10], raw[12]};
    } else {
      i.operation = static_cast<AluOperation>(raw[11] % 5);
      i.immediate = raw[11] >= 128;
      i.value = static_cast<int16_t>(raw[12] * 257);
    }
  }
  const auto encoded = encode(i);
  return encoded ? *encoded : raw;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto machine = Machine::make({.memory_bytes = kMemoryBytes});
  std::vector<uint8_t> program;
  size = std::min<size_t>(size, kMemoryBytes / 2);
  for (size_t at = 0; at < size; at += kInstructionBytes) {
    ByteArray<kInstructionBytes> raw = {};
    std::copy_n(data + at, std::min<size_t>(raw.size(), size - at), raw.begin());
    const auto word = tamed(raw);
    program.insert(program.end(), word.begin(), word.end());
  }
  std::vector<uint8_t> first;
  for (int turn = 0; turn < 2; ++turn) {
    machine->reset();
    if (!machine->write(0, program)) std::abort();
    const auto report = machine->run({0, program.size() / kInstructionBytes, kFuzzCycles});
    if (!report || report->counters.cycles > kFuzzCycles) std::abort();
    if (report->fault.has_value() != machine->faulted()) std::abort();
    if (report->fault && report->fault->text.empty()) std::abort();
    std::vector<uint8_t> memory(kMemoryBytes);
    if (!machine->read(0, memory)) std::abort();
    if (turn == 1 && memory != first) std::abort();
    first = std::move(memory);
  }
  return 0;
}
