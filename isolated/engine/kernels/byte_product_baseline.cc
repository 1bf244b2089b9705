// SPDX-License-Identifier: Apache-2.0
// Any processor: 16-bit numbers are multiplied one at a time, in whatever vectors the compiler has.
#include <algorithm>
#include <utility>

#include "isolated/engine/kernels/byte_product_sets.h"

namespace casemate::engine::byte_product {
namespace {

#define CASEMATE_TARGET
constexpr int kLanes = 4;
constexpr int kPanelVectors = 2;
constexpr int kTallRows = 4;
constexpr int kWideRows = 2;

using Ints = int32_t __attribute__((vector_size(kLanes * 4)));
using Floats = float __attribute__((vector_size(kLanes * 4)));

inline Ints load_first(const int32_t* from, int count) {
  Ints value = {};
  for (int i = 0; i < count; ++i) value[i] = from[i];
  return value;
}
inline void store_first(uint8_t* to, Ints value, int count) {
  __builtin_memcpy(to, &value, static_cast<size_t>(count) * 4);
}
inline Ints multiply_pairs(Ints sum, Ints a, Ints b) {
  using Shorts = int16_t __attribute__((vector_size(kLanes * 4)));
  const auto x = __builtin_bit_cast(Shorts, a);
  const auto y = __builtin_bit_cast(Shorts, b);
  for (int i = 0; i < kLanes; ++i) {
    const int32_t both = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
    sum[i] = static_cast<int32_t>(static_cast<uint32_t>(sum[i]) + static_cast<uint32_t>(both));
  }
  return sum;
}

// clang-format off: what others need comes first
#include "isolated/engine/kernels/byte_pairs.inc"
#include "isolated/engine/kernels/byte_tile.inc"
#include "isolated/engine/kernels/byte_depthwise.inc"
#include "isolated/engine/kernels/byte_loops.inc"
// clang-format on

}  // namespace

const InstructionSet kBaseline = {
    .name = "baseline",
    .vector_columns = kLanes,
    .panel_columns = kLanes * kPanelVectors,
    .multiply = {multiply_panel<false>, multiply_panel<true>},
    .sum_rows = {sum_rows<false>, sum_rows<true>},
    .depthwise_channels = kLanes * 4,
    .depthwise = depthwise_line,
    .quantise = quantise,
    .dequantise = dequantise,
    .range = range,
    .add = add,
    .maximum = maximum,
    .average = average,
};

}  // namespace casemate::engine::byte_product
