// SPDX-License-Identifier: Apache-2.0
#pragma once
// Describing: what a model tells the world about itself, and for which shapes it is compiled.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    ports come from a file that may be an attacker's.
//   Fails    kUnsupported for interfaces that cannot be served, with the port's name.

#include "isolated/engine/engine.h"
#include "isolated/engine/onnx/read.h"

namespace casemate::engine {

// How the shapes of a model's inputs vary.
struct Variation {
  bool any = false;      // some extent varies
  bool batched = false;  // what varies is extent 0 alone, the same for all inputs that vary
};

// Whether the interface can cross a wall: tensors of numbers, not too many, not too large.
Status check_ports(const ReadModel& model);
Variation variation_of(const std::vector<Port>& inputs);
// What inputs are when extents that vary are what `extent` says of them.
std::vector<Fact> facts_of(const std::vector<Port>& inputs,
                           const std::function<int64_t(const std::string& symbol)>& extent);
// Inputs as they are declared; outputs as the graph makes them for the given sizes, extents that
// differ between them as -1, or as they are declared where data decides or the sizes are not all.
Status describe(const ReadModel& model, const Variation& variation,
                const std::vector<Graph>& shaped, ModelDescription& description);
// The same graph for two batch sizes as one with two variants; none when they differ in more than
// shapes.
std::optional<Graph> as_variants(const Graph& first, const Graph& second,
                                 std::vector<int64_t> batch_sizes);

}  // namespace casemate::engine
