// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "isolated/engine/kernels/gemm_sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace casemate::engine::gemm {
namespace {

#define CASEMATE_TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
constexpr int kVectorFloats = 16;
constexpr int kPanelVectors = 4;
constexpr int kThinRows = 16;
constexpr int kTallRows = 8;
constexpr int kNarrowRows = 12;
constexpr int kWideRows = 6;

using Vector = float __attribute__((vector_size(kVectorFloats * 4)));

// The first `count` floats, and zeros behind them.
CASEMATE_TARGET inline Vector load_first(const float* from, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from);
}
CASEMATE_TARGET inline void store_first(float* to, Vector value, int count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1), value);
}

#include "isolated/engine/kernels/gemm_tile.inc"
#include "isolated/engine/kernels/winograd_tile.inc"

}  // namespace

const InstructionSet kAvx512 = {
    .name = "AVX-512",
    .vector_floats = kVectorFloats,
    .panel_columns = kVectorFloats * kPanelVectors,
    .multiply = multiply_panel,
    .of_two = {transform_input<2>, transform_output<2>},
    .of_four = {transform_input<4>, transform_output<4>},
};

}  // namespace casemate::engine::gemm
#endif
