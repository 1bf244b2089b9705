// SPDX-License-Identifier: Apache-2.0
#pragma once
// Work: how much arithmetic one run of a graph is, roughly: enough to tell a model that is done
// before a second thread has woken up from one that fills a machine.
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    shapes were checked; sums saturate.
//   Fails    never.

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// Multiply-adds of convolutions and matrix products, and one operation for every element that any
// other node makes, for that variant.
uint64_t operation_count(const Graph& graph, size_t variant);
// The share of one node. Requires: it has an output.
uint64_t operation_count(const Graph& graph, const Node& node, size_t variant);

}  // namespace casemate::engine
