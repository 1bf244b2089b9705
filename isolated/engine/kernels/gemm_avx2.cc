// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/gemm_sets.h"

#if defined(__x86_64__)
namespace casemate::engine::gemm {
namespace {

#define CASEMATE_TARGET __attribute__((target("avx2,fma")))
constexpr int kVectorFloats = 8;
constexpr int kPanelVectors = 2;
constexpr int kTallRows = 6;
constexpr int kWideRows = 6;

#include "isolated/engine/kernels/gemm_tile.inc"

}  // namespace

const InstructionSet kAvx2 = {"AVX2", kVectorFloats, kVectorFloats* kPanelVectors, multiply_panel};

}  // namespace casemate::engine::gemm
#endif
