// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/compiler.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/npu/kernels.h"
#include "isolated/driver/npu/machine.h"
#include "isolated/driver/npu/schedule.h"

namespace casemate::npu {
namespace {

// 16 MiB: a ResNet's largest layer takes some thousands.
constexpr size_t kInstructionsMax = 1 << 20;
constexpr uint64_t kAlignment = 256;

uint64_t aligned(uint64_t address) { return (address + kAlignment - 1) / kAlignment * kAlignment; }

Placement place(const Convolution& c, uint64_t base) {
  Placement p;
  p.input = base;
  p.weights = aligned(p.input + static_cast<uint64_t>(c.input_bytes()));
  p.bias = aligned(p.weights + static_cast<uint64_t>(c.weight_bytes()));
  p.result = aligned(p.bias + static_cast<uint64_t>(c.bias_bytes()));
  p.micro_ops = aligned(p.result + static_cast<uint64_t>(c.output_bytes()));
  return p;
}

// Writes the program, one step after the other.
//
// Tokens: a load that fills a half waits until the last step that used it is computed; the step's
// first product waits for the load. A tile's first instruction waits until the tile before it in
// its half is stored; the store waits for the tile's last product. So the order in which modules
// take turns changes no result. FINISH waits for the last store.
class Emitter {
 public:
  Emitter(const Convolution& c, const Placement& placement, const Schedule& schedule, size_t depth)
      : c_(c), placement_(placement), schedule_(schedule), depth_(depth) {}

  Status emit() {
    for (size_t s = 0; s < schedule_.steps.size(); ++s) {
      const Step& step = schedule_.steps[s];
      if (step.loads()) TRY(load(s));
      if (step.first) TRY(begin(step.tile));
      TRY(multiply(s));
      if (step.last) TRY(store(step.tile));
    }
    return add({.opcode = Opcode::kFinish, .tokens = {.pop_next = true}});
  }

  std::vector<uint8_t> take_instructions() { return std::move(instructions_); }
  std::vector<uint8_t> take_micro_ops() { return kernels_.take_image(); }

 private:
  Status add(const Instruction& instruction);
  Status load(size_t s);
  Status begin(size_t t);
  Status multiply(size_t s);
  Status store(size_t t);

  Result<Instruction> load_of_pixels(const Step& step, int64_t block, int64_t buffer) const;
  Result<Instruction> load_of_weights(const Step& step, int64_t block, int64_t buffer) const;
  // Sees to it that a kernel's micro-ops are on the chip, and says where.
  Result<Span> kernel(const KernelShape& shape);

  [[nodiscard]] const Tile& tile_of(const Step& step) const { return schedule_.tiles[step.tile]; }
  // Where half `at % depth` of a buffer begins.
  [[nodiscard]] int64_t slot(Memory memory, size_t at) const {
    return static_cast<int64_t>(at % depth_) * half(memory);
  }
  [[nodiscard]] int64_t bias_slot(size_t t) const {
    return slot(Memory::kAccumulators, t) + half(Memory::kAccumulators) -
           schedule_.tiles[t].outputs.count;
  }
  [[nodiscard]] KernelShape shape_of(size_t s) const;

  const Convolution& c_;
  const Placement& placement_;
  const Schedule& schedule_;
  size_t depth_;
  Kernels kernels_;
  std::vector<uint8_t> instructions_;
};

// A transfer of elements whose rows and columns the tiling keeps within the buffers.
Instruction transfer(Opcode opcode, Memory memory, int64_t buffer, uint64_t device_bytes) {
  Instruction i{.opcode = opcode};
  i.transfer.memory = memory;
  i.transfer.buffer = static_cast<uint16_t>(buffer);
  i.transfer.device = static_cast<uint32_t>(device_bytes / element_bytes(memory));
  i.transfer.rows = 1;
  return i;
}

Result<uint16_t> stride_of(int64_t elements, int64_t rows) {
  if (rows <= 1) return uint16_t{0};
  if (elements <= 0xffff) return static_cast<uint16_t>(elements);
  return Error{
      Code::kUnsupported,
      formatted("rows {} elements apart in device memory; the accelerator takes 65535", elements)};
}

Status Emitter::add(const Instruction& instruction) {
  if (instructions_.size() >= kInstructionsMax * kInstructionBytes) {
    return Error{Code::kTooLarge,
                 formatted("a program of more than {} instructions: split the batch "
                           "or the image",
                           kInstructionsMax)};
  }
  const auto bytes = TRY(encode(instruction));
  instructions_.insert(instructions_.end(), bytes.begin(), bytes.end());
  return {};
}

// Where a tile's pixels lie along an axis: those before, on and behind the image.
struct Reach {
  int64_t before = 0;
  int64_t first = 0;
  int64_t count = 0;
  int64_t behind = 0;
};

Reach reach_of(const Axis& axis, const Span& outputs) {
  const int64_t from = outputs.first * axis.stride - axis.pad_before;
  const int64_t to = from + axis.under(outputs.count);
  const int64_t first = std::clamp<int64_t>(from, 0, axis.size);
  const int64_t end = std::clamp<int64_t>(to, first, axis.size);
  const int64_t before = std::clamp<int64_t>(-from, 0, to - from);
  return {before, first, end - first, to - from - before - (end - first)};
}

Result<Instruction> Emitter::load_of_pixels(const Step& step, int64_t block, int64_t buffer) const {
  const Tile& tile = tile_of(step);
  const Reach rows = reach_of(c_.height, tile.rows);
  const Reach columns = reach_of(c_.width, tile.columns);
  const int64_t plane = tile.image * c_.input_blocks() + step.inputs.first + block;
  const int64_t pixel = (plane * c_.height.size + rows.first) * c_.width.size + columns.first;
  Instruction i = transfer(Opcode::kLoad, Memory::kInputs, buffer,
                           placement_.input + static_cast<uint64_t>(pixel) * kBlock);
  i.transfer.pad_value = c_.pad_value;
  i.transfer.rows = static_cast<uint16_t>(rows.count);
  i.transfer.columns = static_cast<uint16_t>(columns.count);
  i.transfer.stride = TRY(stride_of(c_.width.size, rows.count));
  i.transfer.pad_above = static_cast<uint8_t>(rows.before);
  i.transfer.pad_below = static_cast<uint8_t>(rows.behind);
  i.transfer.pad_left = static_cast<uint8_t>(columns.before);
  i.transfer.pad_right = static_cast<uint8_t>(columns.behind);
  return i;
}

Result<Instruction> Emitter::load_of_weights(const Step& step, int64_t block,
                                             int64_t buffer) const {
  const int64_t row = (tile_of(step).outputs.first + block) * c_.input_blocks();
  const int64_t first = (row + step.inputs.first) * c_.taps();
  Instruction i =
      transfer(Opcode::kLoad, Memory::kWeights, buffer,
               placement_.weights + static_cast<uint64_t>(first) * element_bytes(Memory::kWeights));
  i.transfer.columns = static_cast<uint16_t>(step.inputs.count * c_.taps());
  return i;
}

Status Emitter::load(size_t s) {
  const Step& step = schedule_.steps[s];
  const Tile& tile = tile_of(step);
  std::vector<Instruction> loads;
  if (step.loads_weights) {
    const int64_t row = step.inputs.count * c_.taps();
    const int64_t stride = c_.input_blocks() * c_.taps();
    const int64_t at = slot(Memory::kWeights, s);
    loads.push_back(TRY(load_of_weights(step, 0, at)));
    if (stride <= 0xffff) {
      loads[0].transfer.rows = static_cast<uint16_t>(tile.outputs.count);
      loads[0].transfer.stride = TRY(stride_of(stride, tile.outputs.count));
    } else {
      for (int64_t block = 1; block < tile.outputs.count; ++block)
        loads.push_back(TRY(load_of_weights(step, block, at + block * row)));
    }
  }
  if (step.loads_pixels) {
    const int64_t pixels = c_.height.under(tile.rows.count) * c_.width.under(tile.columns.count);
    const int64_t at = slot(Memory::kInputs, s);
    for (int64_t block = 0; block < step.inputs.count; ++block)
      loads.push_back(TRY(load_of_pixels(step, block, at + block * pixels)));
  }
  loads.front().tokens.pop_next = s >= depth_;
  loads.back().tokens.push_next = true;
  for (const Instruction& i : loads) TRY(add(i));
  return {};
}

KernelShape Emitter::shape_of(size_t s) const {
  const Step& step = schedule_.steps[s];
  const Tile& tile = tile_of(step);
  return {.accumulators = slot(Memory::kAccumulators, step.tile),
          .second = slot(Memory::kInputs, s),
          .weights = slot(Memory::kWeights, s),
          .positions = tile.positions(),
          .rows = c_.height.under(tile.rows.count),
          .columns = c_.width.under(tile.columns.count),
          .outputs = tile.outputs.count,
          .inputs = step.inputs.count};
}

Result<Span> Emitter::kernel(const KernelShape& shape) {
  const Kernels::Place place = TRY(kernels_.place(c_, shape));
  if (place.load) {
    Instruction i = transfer(Opcode::kLoad, Memory::kMicroOps, place.on_chip.first,
                             placement_.micro_ops + place.image_bytes);
    i.transfer.columns = static_cast<uint16_t>(place.on_chip.count);
    TRY(add(i));
  }
  return place.on_chip;
}

void sweep(Instruction& i, const Span& micro_ops, int64_t outer, int64_t inner) {
  i.sweep.first = static_cast<uint16_t>(micro_ops.first);
  i.sweep.end = static_cast<uint16_t>(micro_ops.first + micro_ops.count);
  i.sweep.outer = static_cast<uint16_t>(outer);
  i.sweep.inner = static_cast<uint16_t>(inner);
}

// A step of a loop that turns once is never taken, and might not fit its field.
Steps steps(int64_t outer, int64_t outer_turns, int64_t inner, int64_t inner_turns) {
  return {.outer = static_cast<uint16_t>(outer_turns > 1 ? outer : 0),
          .inner = static_cast<uint16_t>(inner_turns > 1 ? inner : 0)};
}

// Accumulators start at the bias, or at 0.
Status Emitter::begin(size_t t) {
  const Tile& tile = schedule_.tiles[t];
  if (tile.loads_bias) {
    Instruction i = transfer(Opcode::kLoad, Memory::kAccumulators, bias_slot(t),
                             placement_.bias + static_cast<uint64_t>(tile.outputs.first) *
                                                   element_bytes(Memory::kAccumulators));
    i.transfer.columns = static_cast<uint16_t>(tile.outputs.count);
    TRY(add(i));
  }
  const Span micro_op = TRY(kernel({.accumulators = slot(Memory::kAccumulators, t),
                                    .second = bias_slot(t),
                                    .positions = tile.positions()}));
  Instruction i{.opcode = Opcode::kGemm, .reset = true};
  i.tokens.pop_next = t >= depth_;
  sweep(i, micro_op, tile.outputs.count, tile.positions());
  i.sweep.dst = steps(tile.positions(), tile.outputs.count, 1, tile.positions());
  TRY(add(i));
  if (!c_.bias) return {};
  i.opcode = Opcode::kAlu;
  i.reset = false;
  i.operation = AluOperation::kAdd;
  i.tokens = {};
  i.sweep.src = {.outer = 1, .inner = 0};
  return add(i);
}

Status Emitter::multiply(size_t s) {
  const Step& step = schedule_.steps[s];
  const Tile& tile = tile_of(step);
  const KernelShape shape = shape_of(s);
  const Span micro_ops = TRY(kernel(shape));
  const int64_t rows = tile.rows.count;
  const int64_t columns = tile.columns.count;
  Instruction i{.opcode = Opcode::kGemm};
  i.tokens.pop_previous = step.loads();
  i.tokens.push_previous =
      s + depth_ < schedule_.steps.size() && schedule_.steps[s + depth_].loads();
  i.tokens.push_next = step.last;
  sweep(i, micro_ops, rows, columns);
  i.sweep.dst = steps(columns, rows, 1, columns);
  i.sweep.src = steps(c_.height.stride * shape.columns, rows, c_.width.stride, columns);
  return add(i);
}

Status Emitter::store(size_t t) {
  const Tile& tile = schedule_.tiles[t];
  const int64_t height = c_.height.output();
  const int64_t width = c_.width.output();
  for (int64_t block = 0; block < tile.outputs.count; ++block) {
    const int64_t plane = tile.image * c_.output_blocks() + tile.outputs.first + block;
    const int64_t at = (plane * height + tile.rows.first) * width + tile.columns.first;
    Instruction i = transfer(
        Opcode::kStore, Memory::kAccumulators,
        slot(Memory::kAccumulators, t) + block * tile.positions(),
        placement_.result + static_cast<uint64_t>(at) * element_bytes(Memory::kAccumulators));
    i.transfer.rows = static_cast<uint16_t>(tile.rows.count);
    i.transfer.columns = static_cast<uint16_t>(tile.columns.count);
    i.transfer.stride = TRY(stride_of(width, tile.rows.count));
    const size_t tiles = schedule_.tiles.size();
    i.tokens.pop_previous = block == 0;
    i.tokens.push_previous =
        block + 1 == tile.outputs.count && (t + depth_ < tiles || t + 1 == tiles);
    TRY(add(i));
  }
  return {};
}

// Single pixels lie in a row, whatever the image was.
Convolution flattened(Convolution c) {
  const auto plain = [](const Axis& a) {
    return a.kernel == 1 && a.stride == 1 && a.pad_before == 0 && a.pad_after == 0;
  };
  if (!plain(c.height) || !plain(c.width)) return c;
  c.width.size *= c.height.size;
  c.height = {};
  return c;
}

}  // namespace

Result<Program> compile(const Convolution& convolution, const CompileOptions& options) {
  TRY(convolution.check());
  const Convolution c = flattened(convolution);
  if (options.memory_bytes > Machine::kMemoryBytesMax) {
    return Error{Code::kTooLarge, formatted("device memory of {} bytes; it can have {}",
                                            options.memory_bytes, Machine::kMemoryBytesMax)};
  }
  if (options.base % kAlignment != 0 || options.base > options.memory_bytes) {
    return Error{Code::kInvalid, formatted("a program at address {}; it has to be a multiple of {} "
                                           "in device memory",
                                           options.base, kAlignment)};
  }
  const size_t depth = options.overlapped ? 2 : 1;
  Program program{.convolution = convolution, .placement = place(c, options.base)};
  Placement& placement = program.placement;
  if (placement.micro_ops > options.memory_bytes) {
    return Error{Code::kTooLarge,
                 formatted("operands and results of {} bytes from address {}; device memory has {}",
                           placement.micro_ops - options.base, options.base, options.memory_bytes)};
  }
  program.tiling = TRY(choose(c));
  const Schedule plan = TRY(schedule(c, program.tiling, depth));
  Emitter emitter(c, placement, plan, depth);
  TRY(emitter.emit());
  program.micro_ops = emitter.take_micro_ops();
  program.instructions = emitter.take_instructions();
  placement.instructions = aligned(placement.micro_ops + program.micro_ops.size());
  placement.end = aligned(placement.instructions + program.instructions.size());
  if (placement.end <= options.memory_bytes) return program;
  return Error{Code::kTooLarge,
               formatted("a layer of {} bytes from address {}; device memory has {}",
                         placement.end - options.base, options.base, options.memory_bytes)};
}

}  // namespace casemate::npu
