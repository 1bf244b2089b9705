// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "isolated/engine/kernels/gemm_sets.h"

namespace casemate::engine::gemm {
namespace {

#define CASEMATE_TARGET
constexpr int kVectorFloats = 4;
constexpr int kPanelVectors = 2;
constexpr int kThinRows = 6;
constexpr int kTallRows = 6;
constexpr int kWideRows = 6;
constexpr int kNarrowRows = kWideRows;

using Vector = float __attribute__((vector_size(kVectorFloats * 4)));

// The first `count` floats, and zeros behind them.
inline Vector load_first(const float* from, int count) {
  Vector value = {};
  for (int i = 0; i < count; ++i) value[i] = from[i];
  return value;
}
inline void store_first(float* to, Vector value, int count) {
  for (int i = 0; i < count; ++i) to[i] = value[i];
}

#include "isolated/engine/kernels/gemm_tile.inc"
#include "isolated/engine/kernels/winograd_tile.inc"

}  // namespace

const InstructionSet kBaseline = {
    .name = "baseline",
    .vector_floats = kVectorFloats,
    .panel_columns = kVectorFloats * kPanelVectors,
    .multiply = multiply_panel,
    .of_two = {transform_input<2>, transform_output<2>},
    .of_four = {transform_input<4>, transform_output<4>},
};

}  // namespace casemate::engine::gemm
