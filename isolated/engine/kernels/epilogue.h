// SPDX-License-Identifier: Apache-2.0
#pragma once
// What our own products do to their result before they store it.

#include "isolated/engine/kernels/gemm.h"
#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

struct EpilogueForm {
  gemm::Epilogue epilogue = {};       // without pointers
  std::optional<size_t> addend = {};  // the input that is added
  std::optional<size_t> row = {};     // the constant of one number per column that is added
};

// The node's post-operations as an epilogue: a sum with a computed value of the result's shape, for
// a product one with a constant row as well, then Relu, Clip or LeakyRelu; each at most once. None
// where it has others.
std::optional<EpilogueForm> epilogue_of(const KernelRequest& request);

}  // namespace casemate::engine
