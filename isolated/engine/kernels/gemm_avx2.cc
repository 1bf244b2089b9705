// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "isolated/engine/kernels/gemm_sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace casemate::engine::gemm {
namespace {

#define CASEMATE_TARGET __attribute__((target("avx2,fma")))
constexpr int kVectorFloats = 8;
constexpr int kPanelVectors = 2;
constexpr int kThinRows = 12;
constexpr int kTallRows = 6;
constexpr int kWideRows = 6;
constexpr int kNarrowRows = kWideRows;

using Vector = float __attribute__((vector_size(kVectorFloats * 4)));

CASEMATE_TARGET inline __m256i first(int count) {
  const __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), place);
}
// The first `count` floats, and zeros behind them.
CASEMATE_TARGET inline Vector load_first(const float* from, int count) {
  return _mm256_maskload_ps(from, first(count));
}
CASEMATE_TARGET inline void store_first(float* to, Vector value, int count) {
  _mm256_maskstore_ps(to, first(count), value);
}

#include "isolated/engine/kernels/gemm_tile.inc"
#include "isolated/engine/kernels/winograd_tile.inc"

}  // namespace

const InstructionSet kAvx2 = {
    .name = "AVX2",
    .vector_floats = kVectorFloats,
    .panel_columns = kVectorFloats * kPanelVectors,
    .multiply = multiply_panel,
    .of_two = {transform_input<2>, transform_output<2>},
    .of_four = {transform_input<4>, transform_output<4>},
};

}  // namespace casemate::engine::gemm
#endif
