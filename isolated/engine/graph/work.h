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

// What one run of a node cannot do without, by which its time is measured.
struct Work {
  uint64_t flops = 0;  // a multiply-add is two, as is customary; additions of windows are none
  uint64_t bytes = 0;  // read and written, each operand once, weights as the file has them
  bool operator==(const Work&) const = default;
};
// Requires: as above.
Work work_of(const Graph& graph, const Node& node, size_t variant);

}  // namespace casemate::engine
