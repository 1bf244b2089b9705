// SPDX-License-Identifier: Apache-2.0
#pragma once
// The instruction sets that gemm.h is compiled for. Use only what the processor has: gemm.cc asks
// it.
#include "isolated/engine/kernels/gemm.h"

namespace casemate::engine::gemm {

#if defined(__x86_64__)
extern const InstructionSet kAvx512;
extern const InstructionSet kAvx2;
#endif
extern const InstructionSet kBaseline;

}  // namespace casemate::engine::gemm
