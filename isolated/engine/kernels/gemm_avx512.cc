// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/gemm_sets.h"

#if defined(__x86_64__)
namespace casemate::engine::gemm {
namespace {

#define CASEMATE_TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
constexpr int kVectorFloats = 16;
constexpr int kPanelVectors = 4;
constexpr int kTallRows = 8;
constexpr int kWideRows = 6;

#include "isolated/engine/kernels/gemm_tile.inc"

}  // namespace

const InstructionSet kAvx512 = {"AVX-512", kVectorFloats, kVectorFloats* kPanelVectors,
                                multiply_panel};

}  // namespace casemate::engine::gemm
#endif
