// SPDX-License-Identifier: Apache-2.0
#pragma once
// The instruction sets that byte_product.h is compiled for. Use only what the processor has:
// byte_product.cc asks it.
#include "isolated/engine/kernels/byte_product.h"

namespace casemate::engine::byte_product {

#if defined(__x86_64__)
extern const InstructionSet kAvx512Vnni;
extern const InstructionSet kAvx512;
extern const InstructionSet kAvxVnni;
extern const InstructionSet kAvx2;
#endif
extern const InstructionSet kBaseline;

}  // namespace casemate::engine::byte_product
