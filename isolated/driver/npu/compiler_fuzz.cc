// SPDX-License-Identifier: Apache-2.0
// Any convolution: it is refused with a sentence, or its program runs without a fault and takes the
// products that the convolution has.
//
//   build/asan/fuzz/isolated_driver_npu_compiler_fuzz CORPUS -max_len=256 -timeout=20
#include <cstdlib>
#include <cstring>

#include "isolated/driver/npu/compiler.h"
#include "isolated/driver/npu/machine.h"

namespace {

using namespace casemate;
using namespace casemate::npu;

// Numbers of the input, most of them small.
class Numbers {
 public:
  Numbers(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  int64_t next() {
    const uint8_t first = byte();
    if (first < 250) return first % 40;
    int64_t number = 0;
    for (int i = first - 249; i >= 0; --i) number = number << 8 | byte();
    return number;
  }

 private:
  uint8_t byte() { return at_ == end_ ? 1 : *at_++; }

  const uint8_t* at_;
  const uint8_t* end_;
};

Axis axis_of(Numbers& numbers) {
  Axis axis;
  axis.size = numbers.next();
  axis.kernel = numbers.next() % 8;
  axis.stride = numbers.next() % 5;
  axis.dilation = numbers.next() % 5;
  axis.pad_before = numbers.next();
  axis.pad_after = numbers.next();
  return axis;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Numbers numbers(data, size);
  Convolution c;
  c.inputs = numbers.next() * 3;
  c.outputs = numbers.next() * 3;
  c.height = axis_of(numbers);
  c.width = axis_of(numbers);
  c.batch = numbers.next() % 4;
  c.planes = numbers.next() % 4;
  c.bias = numbers.next() % 2 == 1;
  const bool overlapped = numbers.next() % 2 == 1;
  const auto program = compile(c, {.memory_bytes = 64ull << 20, .overlapped = overlapped});
  if (!program) {
    if (program.error().text.empty()) std::abort();
    return 0;
  }
  if (c.turns() > 20'000 || program->placement.end > 4ull << 20) return 0;
  auto machine = Machine::make({.memory_bytes = program->placement.end});
  if (!machine->write(program->placement.micro_ops, program->micro_ops)) std::abort();
  if (!machine->write(program->placement.instructions, program->instructions)) std::abort();
  const auto report = machine->run(
      {program->placement.instructions, program->instruction_count(), Machine::kCyclesMax});
  if (!report || report->fault) std::abort();
  if (report->counters.products != static_cast<uint64_t>(c.turns())) std::abort();
  return 0;
}
