// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/tiling.h"

#include <limits>
#include <vector>

#include "base/format.h"
#include "isolated/driver/npu/machine.h"

namespace casemate::npu {
namespace {

// Sizes of parts, at most `limit`, that cut `size` into numbers of equal parts, largest first.
std::vector<int64_t> candidates(int64_t size, int64_t limit) {
  std::vector<int64_t> sizes;
  for (int64_t part = std::min(size, limit); part >= 1; part = sizes.back() - 1)
    sizes.push_back(parts(size, parts(size, part)));
  return sizes;
}

// How often one of the two operands is loaded, if `tiles` follow each other that want the same,
// and `runs` such runs, each tile in `chunks` steps.
int64_t loads(int64_t runs, int64_t tiles, int64_t chunks) {
  // A half keeps what the step before the last left in it: with one chunk or two that is the same.
  if (chunks <= 2) return runs * std::min<int64_t>(2, tiles * chunks);
  return runs * tiles * chunks;
}

bool fits(const Convolution& c, const Tiling& t) {
  const int64_t pixels = c.height.under(t.rows) * c.width.under(t.columns);
  return t.outputs * (t.rows * t.columns + 1) <= half(Memory::kAccumulators) &&
         t.inputs * pixels <= half(Memory::kInputs) &&
         t.outputs * t.inputs * c.taps() <= half(Memory::kWeights);
}

}  // namespace

int64_t estimate(const Convolution& c, const Tiling& t) {
  const Timing timing;
  const int64_t latency = timing.memory_latency;
  const int64_t per_cycle = timing.memory_bytes_per_cycle;
  const int64_t areas =
      c.batch * parts(c.height.output(), t.rows) * parts(c.width.output(), t.columns);
  const int64_t out = parts(c.output_blocks(), t.outputs);
  const int64_t chunks = parts(c.input_blocks(), t.inputs);
  const int64_t pixels = c.height.under(t.rows) * c.width.under(t.columns);
  const int64_t weight_loads =
      t.weights_stay ? loads(out, areas, chunks) : loads(out * areas, 1, chunks);
  const int64_t input_loads =
      t.weights_stay ? loads(out * areas, 1, chunks) : loads(areas, out, chunks);
  const int64_t input_cycles = t.inputs * pixels * 16 / per_cycle;
  const int64_t weight_cycles = t.outputs * t.inputs * c.taps() * 256 / per_cycle;
  const int64_t results = c.output_bytes() / per_cycle;
  const int64_t moved = weight_loads * weight_cycles + input_loads * input_cycles + results;
  const int64_t loading =
      weight_loads * (weight_cycles + latency) + input_loads * (input_cycles + t.inputs * latency);
  const int64_t storing = results + areas * out * t.outputs * latency;
  const int64_t pipeline = timing.pipeline;
  const int64_t tile = t.outputs * t.rows * t.columns;
  const int64_t computing =
      c.turns() + areas * out * (tile * (c.bias ? 3 : 1) + 2 * pipeline + chunks * pipeline);
  // The first load and the last store have nothing beside them.
  const int64_t ends = input_cycles + weight_cycles + tile * 64 / per_cycle;
  return std::max({moved, loading, storing, computing}) + ends;
}

Result<Tiling> choose(const Convolution& c) {
  Tiling best;
  int64_t cycles = std::numeric_limits<int64_t>::max();
  const int64_t most = half(Memory::kAccumulators);
  // Rows of device memory lie at most 2^16 - 1 elements apart.
  const bool far = std::max(c.width.size, c.width.output()) > 0xffff;
  const auto rows = candidates(c.height.output(), far ? 1 : most);
  const auto columns = candidates(c.width.output(), most);
  const auto outputs = candidates(c.output_blocks(), most);
  const auto inputs = candidates(c.input_blocks(), most);
  for (const int64_t row : rows) {
    for (const int64_t column : columns) {
      if (!fits(c, {.rows = row, .columns = column})) continue;
      for (const int64_t output : outputs) {
        if (!fits(c, {.rows = row, .columns = column, .outputs = output})) continue;
        for (const int64_t input : inputs) {
          Tiling tiling{row, column, output, input};
          if (!fits(c, tiling)) continue;
          for (const bool stay : {false, true}) {
            tiling.weights_stay = stay;
            const int64_t taken = estimate(c, tiling);
            if (taken < cycles) best = tiling;
            cycles = std::min(cycles, taken);
          }
        }
      }
    }
  }
  if (cycles < std::numeric_limits<int64_t>::max()) return best;
  return Error{
      Code::kUnsupported,
      formatted("a window of {} x {} with {} blocks of weights: the buffers take windows of "
                "{} pixels and {} blocks{}",
                c.height.window(), c.width.window(), c.taps(), half(Memory::kInputs),
                half(Memory::kWeights), far ? ", or images of 65535 columns" : "")};
}

}  // namespace casemate::npu
