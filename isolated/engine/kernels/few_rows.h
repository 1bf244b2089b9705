// SPDX-License-Identifier: Apache-2.0
#pragma once
// Products of a few rows by constant weights: one token's, whose time is that of reading the
// weights. Included only by sources of this folder.

#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {

// The kernel for x [rows, depth] by constant weights, which are `dims` [depth, columns] and lie in
// the constant as `plain` says. None where the node's post-operations, or so many rows, are not for
// it.
std::optional<KernelResult> make_few_rows(const KernelRequest& request, int64_t rows,
                                          const dnnl::memory::desc& plain);

}  // namespace casemate::engine
