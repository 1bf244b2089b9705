// SPDX-License-Identifier: Apache-2.0
// AVX-512 without VNNI. The instruction that multiplies bytes saturates, so pairs of 16-bit numbers
// are multiplied: the even bytes of all lanes, and the odd ones.
#include "isolated/engine/kernels/byte_product_sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <utility>

namespace casemate::engine::byte_product {
namespace {

#define CASEMATE_TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
constexpr int kLanes = 16;
constexpr int kPanelVectors = 4;
constexpr int kTallRows = 6;
constexpr int kWideRows = 4;

using Ints = int32_t __attribute__((vector_size(kLanes * 4)));
using Floats = float __attribute__((vector_size(kLanes * 4)));

CASEMATE_TARGET inline Ints load_first(const int32_t* from, int count) {
  return __builtin_bit_cast(
      Ints, _mm512_maskz_loadu_epi32(static_cast<__mmask16>((1U << count) - 1), from));
}
CASEMATE_TARGET inline void store_first(uint8_t* to, Ints value, int count) {
  _mm512_mask_storeu_epi32(to, static_cast<__mmask16>((1U << count) - 1),
                           __builtin_bit_cast(__m512i, value));
}
CASEMATE_TARGET inline Ints multiply_pairs(Ints sum, Ints a, Ints b) {
  return __builtin_bit_cast(
      Ints, _mm512_add_epi32(
                __builtin_bit_cast(__m512i, sum),
                _mm512_madd_epi16(__builtin_bit_cast(__m512i, a), __builtin_bit_cast(__m512i, b))));
}

// clang-format off: what others need comes first
#include "isolated/engine/kernels/byte_pairs.inc"
#include "isolated/engine/kernels/byte_store_avx512.inc"
#include "isolated/engine/kernels/byte_tile.inc"
#include "isolated/engine/kernels/byte_depthwise.inc"
#include "isolated/engine/kernels/byte_loops.inc"
// clang-format on

}  // namespace

const InstructionSet kAvx512 = {
    .name = "AVX-512",
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
