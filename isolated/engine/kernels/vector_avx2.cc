// SPDX-License-Identifier: Apache-2.0
// The vector loops for processors with AVX2 and FMA.
#include <cmath>
#include <cstdint>
#include <limits>

#include "isolated/engine/kernels/vector_loops.h"

#define CASEMATE_LANES 8
#define CASEMATE_TILE_VECTORS 2
// Headers of others come before the target changes: their inline functions belong to all.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
// clang-format off: the vectors come first
#include "isolated/engine/kernels/vector.h"
#include "isolated/engine/kernels/vector_attention.h"
#include "isolated/engine/kernels/vector_depthwise.h"
#include "isolated/engine/kernels/vector_functions.h"
#include "isolated/engine/kernels/vector_product.h"
#include "isolated/engine/kernels/vector_rows.h"
// clang-format on
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace casemate::engine {

const VectorLoops kAvx2Loops = {"vector:avx2", normalize_rows,    activate,      attention_scratch,
                                attend_head,   multiply_few_rows, depthwise_line};

}  // namespace casemate::engine
