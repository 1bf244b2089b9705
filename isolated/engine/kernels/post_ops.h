// SPDX-License-Identifier: Apache-2.0
#pragma once
// Post-operations of a node as oneDNN takes them.

#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {

struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha;
  float beta;
};

// oneDNN's name for an activation. Requires: as_post_op() made it.
Eltwise eltwise_of(const PostOp& activation);

// Appends the node's post-operations to `attributes`, what they read to `arguments`, and what they
// ask of the plan to `needs`. The node's result has layout `layout`, and is described to oneDNN
// with the dimensions `target`, which for a product may be fewer than the graph's.
Status append_post_ops(const KernelRequest& request, Layout layout,
                       const dnnl::memory::dims& target, dnnl::primitive_attr& attributes,
                       std::vector<DnnlArgument>& arguments, KernelNeeds& needs);

}  // namespace casemate::engine
