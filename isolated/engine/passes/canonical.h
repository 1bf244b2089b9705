// SPDX-License-Identifier: Apache-2.0
#pragma once
// Canonical form: what passes and kernels need not know of operator sets. In a shaped graph each
// node that has a fast kernel is rewritten into the one form that this kernel takes: all that only
// changes a shape is Reshape, lists that were constant inputs are attributes, defaults are
// explicit, scalars of Gemm are in its operands. Everything is checked already: the shapes come
// from the operators' own functions.
//
//   Reshape(x)                          the shape is that of its output
//   Transpose(x; perm)  Expand(x)  Slice(x; starts, steps)  Pad(x, fill; pads)
//   Conv(x, w, [b]; kernel_shape, strides, dilations, pads, group)   w constant
//   MaxPool, AveragePool(x; ...)        ditto; every window sees input
//   Gemm(a, b, [c]; transA, transB)     BatchNormalization(x, 4 rows; epsilon)
//   Softmax, LogSoftmax(x; axis)        Reduce...(x; axes)     Clip(x; min, max)
//   Add, Min, Max of two                Pow of one type
//
// A node that has no such form stays as it is, and is run by its operator's own function.
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    the graph was specialised.
//   Fails    never.

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// Rewrites the node in place, or leaves it alone; may append nodes to run before it.
using Canonize = void (*)(Graph& graph, Node& node);

// By family. None for an operator without a form of its own.
Canonize find_movement_form(std::string_view op);
Canonize find_window_form(std::string_view op);
Canonize find_math_form(std::string_view op);

// A list that newer operator sets give as a constant input and older ones as an attribute; none
// when it is computed.
std::optional<std::vector<int64_t>> list_of(const Graph& graph, const Node& node, size_t input,
                                            std::string_view attribute);

void make_canonical(Graph& graph);

}  // namespace casemate::engine
