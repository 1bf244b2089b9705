// SPDX-License-Identifier: Apache-2.0
#pragma once
// View: a value as elements of another one that lie some steps apart, so that a kernel which reads
// with steps needs no copy made by Reshape, Transpose, Split or Slice.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    the graph is canonical and has one variant.
//   Fails    never: a value is at least a view of itself.

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

struct View {
  ValueId base;
  int64_t offset = 0;
  std::vector<int64_t> dims;
  std::vector<int64_t> steps;  // in elements of the base; 0 for a dimension of extent 1
  double factor = 1;           // by which the elements are to be multiplied
};

// The value as a view of what lies farthest before it. Products with a scalar become the factor
// where the caller takes one.
View view_of(const Graph& graph, const Uses& uses, ValueId id, bool with_factor = false);

// The one element of a constant FP32 scalar.
std::optional<double> scalar_of(const Graph& graph, ValueId id);

}  // namespace casemate::engine
