// SPDX-License-Identifier: Apache-2.0
// The vector loops for processors that every x86-64 processor runs.
#include <cmath>
#include <cstdint>
#include <limits>

#include "isolated/engine/kernels/vector_loops.h"

#define CASEMATE_LANES 4
#define CASEMATE_TILE_VECTORS 2
// clang-format off: the vectors come first
#include "isolated/engine/kernels/vector.h"
#include "isolated/engine/kernels/vector_attention.h"
#include "isolated/engine/kernels/vector_depthwise.h"
#include "isolated/engine/kernels/vector_functions.h"
#include "isolated/engine/kernels/vector_product.h"
#include "isolated/engine/kernels/vector_rows.h"
// clang-format on
namespace casemate::engine {

const VectorLoops kBaselineLoops = {"vector:baseline", normalize_rows, activate,
                                    attention_scratch, attend_head,    multiply_few_rows,
                                    depthwise_line};

}  // namespace casemate::engine
