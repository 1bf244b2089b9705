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

}  // namespace

const InstructionSet kBaseline = {"baseline", kVectorFloats, kVectorFloats* kPanelVectors,
                                  multiply_panel};

}  // namespace casemate::engine::gemm
