// SPDX-License-Identifier: Apache-2.0
// AVX-VNNI: the instruction of AVX-512's VNNI on half as many lanes.
#include "isolated/engine/kernels/byte_product_sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <utility>

namespace casemate::engine::byte_product {
namespace {

#define CASEMATE_TARGET __attribute__((target("avxvnni,avx2,fma")))
constexpr int kLanes = 8;
constexpr int kPanelVectors = 2;
constexpr int kTallRows = 8;
constexpr int kWideRows = 6;

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

template <bool kSigned>
using Left = Ints;
template <bool kSigned>
using Right = Ints;
template <bool kSigned>
CASEMATE_TARGET inline Ints left_of(int32_t word) {
  return Ints{} + word;
}
template <bool kSigned>
CASEMATE_TARGET inline Ints left_of(Ints bytes) {
  return bytes;
}
template <bool kSigned>
CASEMATE_TARGET inline Ints right_of(Ints bytes) {
  return bytes;
}
template <bool kSigned>
CASEMATE_TARGET inline Ints dot(Ints sum, Ints left, Ints right) {
  const auto sums = __builtin_bit_cast(__m256i, sum);
  const auto a = __builtin_bit_cast(__m256i, left);
  const auto b = __builtin_bit_cast(__m256i, right);
  // The first factor is the unsigned one.
  return __builtin_bit_cast(
      Ints, kSigned ? _mm256_dpbusd_avx_epi32(sums, b, a) : _mm256_dpbusd_avx_epi32(sums, a, b));
}

// clang-format off: what others need comes first
#include "isolated/engine/kernels/byte_tile.inc"
#include "isolated/engine/kernels/byte_depthwise.inc"
#include "isolated/engine/kernels/byte_loops.inc"
// clang-format on

}  // namespace

const InstructionSet kAvxVnni = {
    .name = "AVX-VNNI",
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
