// SPDX-License-Identifier: Apache-2.0
#pragma once
// Activations: the element-wise operators that a kernel can apply to its result while it still has
// it in registers.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    as Graph.
//   Fails    an operator that is none yields nothing.

#include <optional>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// The node as a post-operation, its attributes in alpha and beta; Gelu with its tanh approximation
// is "GeluTanh". None when the operator is no
// activation of one FP32 value with constant parameters.
std::optional<PostOp> as_post_op(const Graph& graph, const Node& node);

}  // namespace casemate::engine
