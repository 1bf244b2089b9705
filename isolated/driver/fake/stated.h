// SPDX-License-Identifier: Apache-2.0
#pragma once
// A canonical graph as the newest operator set states it: what became attributes, or the shape of a
// result, is constant inputs again, so that the operators' own functions can run it.
//
//   Owns     the graph that it returns.
//   Threads  a pure function.
//   Trust    the graph is sound and canonical.
//   Fails    never; a node that no function knows stays as it is.

#include "isolated/engine/graph/graph.h"

namespace casemate::driver {

// Requires: one variant.
engine::Graph as_stated(const engine::Graph& canonical);

}  // namespace casemate::driver
