// SPDX-License-Identifier: Apache-2.0
// AVX2: bytes are multiplied as pairs of 16-bit numbers.
#include "isolated/engine/kernels/byte_product_sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <utility>

namespace casemate::engine::byte_product {
namespace {

#define CASEMATE_TARGET __attribute__((target("avx2,fma")))
constexpr int kLanes = 8;
constexpr int kPanelVectors = 2;
constexpr int kTallRows = 4;
constexpr int kWideRows = 3;

using Ints = int32_t __attribute__((vector_size(kLanes * 4)));
using Floats = float __attribute__((vector_size(kLanes * 4)));

CASEMATE_TARGET inline __m256i first(int count) {
  const __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), place);
}
CASEMATE_TARGET inline Ints load_first(const int32_t* from, int count) {
  return __builtin_bit_cast(Ints, _mm256_maskload_epi32(from, first(count)));
}
CASEMATE_TARGET inline void store_first(uint8_t* to, Ints value, int count) {
  _mm256_maskstore_epi32(static_cast<int*>(static_cast<void*>(to)), first(count),
                         __builtin_bit_cast(__m256i, value));
}
CASEMATE_TARGET inline Ints multiply_pairs(Ints sum, Ints a, Ints b) {
  return __builtin_bit_cast(
      Ints, _mm256_add_epi32(
                __builtin_bit_cast(__m256i, sum),
                _mm256_madd_epi16(__builtin_bit_cast(__m256i, a), __builtin_bit_cast(__m256i, b))));
}

// clang-format off: what others need comes first
#include "isolated/engine/kernels/byte_pairs.inc"
#include "isolated/engine/kernels/byte_tile.inc"
#include "isolated/engine/kernels/byte_depthwise.inc"
#include "isolated/engine/kernels/byte_loops.inc"
// clang-format on

}  // namespace

const InstructionSet kAvx2 = {
    .name = "AVX2",
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
#endif
