// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/gemm_sets.h"

namespace casemate::engine::gemm {
namespace {

#define CASEMATE_TARGET
constexpr int kVectorFloats = 4;
constexpr int kPanelVectors = 2;
constexpr int kTallRows = 6;
constexpr int kWideRows = 6;

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
