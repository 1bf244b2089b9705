// SPDX-License-Identifier: Apache-2.0
#pragma once
// Some nodes of a graph as a graph of their own, with the constants that they read in it.

#include <span>

#include "isolated/engine/graph/graph.h"

namespace casemate::driver {

// Requires: one variant; nodes in an order in which they can run; what they read and nobody of them
// makes is a constant or one of `inputs`; they make `outputs`.
engine::Graph piece_of(const engine::Graph& graph, std::span<const size_t> nodes,
                       std::span<const engine::ValueId> inputs,
                       std::span<const engine::ValueId> outputs);

}  // namespace casemate::driver
