// SPDX-License-Identifier: Apache-2.0
#pragma once
// What our own products do to their result before they store it.

#include "isolated/engine/kernels/gemm.h"
#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/kernels/vector_loops.h"

namespace casemate::engine {

struct EpilogueForm {
  gemm::Epilogue epilogue = {};       // without pointers
  std::optional<size_t> addend = {};  // the input that is added
  // Done to the finished result, while it is still in a near cache.
  Activate activation = Activate::kNone;
  std::optional<size_t> row = {};  // the constant of one number per column that is added
};

// The node's post-operations as an epilogue: a sum with a computed value of the result's shape, for
// a product one with a constant row as well, then an activation; each at most once. None where it
// has others.
std::optional<EpilogueForm> epilogue_of(const KernelRequest& request);

// An activation as limits or a slope; none where it is another one.
std::optional<gemm::Epilogue> limits_of(const PostOp& post);

// The activation of rows that were just made: [rows, columns], `stride` floats apart.
void activate_rows(Activate activation, float* c, int64_t rows, int64_t columns, int64_t stride);

}  // namespace casemate::engine
