// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/fake/stated.h"

#include <limits>

namespace casemate::driver {
namespace {

using engine::Graph;
using engine::Node;
using engine::Tensor;
using engine::ValueId;
using Ints = std::vector<int64_t>;

const Shape& shape_of(const Graph& graph, ValueId id) { return graph.value(id).shapes.front(); }

ValueId list(Graph& graph, const Node& node, const char* what, const Ints& values) {
  return graph.add_constant(
      node.name + "/" + what,
      Tensor::of<int64_t>(Shape{static_cast<int64_t>(values.size())}, std::span(values)));
}

Ints dims_of(const Graph& graph, ValueId id) {
  const auto dims = shape_of(graph, id).dims();
  return {dims.begin(), dims.end()};
}

// Ends that leave as many as the result has. A negative end would count from the back.
void state_slice(Graph& graph, Node& node) {
  const Ints starts = node.attributes.integers("starts");
  const Ints steps = node.attributes.integers("steps");
  const Ints extents = dims_of(graph, node.output());
  Ints ends;
  Ints axes;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t end = starts[i] + extents[i] * steps[i];
    const bool before_first = end < 0 && extents[i] > 0;
    ends.push_back(before_first ? std::numeric_limits<int64_t>::min() : end);
    axes.push_back(static_cast<int64_t>(i));
  }
  node.inputs = {node.inputs[0], list(graph, node, "starts", starts),
                 list(graph, node, "ends", ends), list(graph, node, "axes", axes),
                 list(graph, node, "steps", steps)};
  node.attributes = {};
}

void state_reduction(Graph& graph, Node& node) {
  const Ints axes = node.attributes.integers("axes");
  const bool keeps =
      shape_of(graph, node.inputs[0]).rank() == shape_of(graph, node.output()).rank();
  node.attributes = {{"keepdims", int64_t{keeps}}, {"noop_with_empty_axes", int64_t{1}}};
  node.inputs = {node.inputs[0], list(graph, node, "axes", axes)};
}

void state(Graph& graph, Node& node) {
  node.raw = true;
  node.since = 0;
  const bool alone = node.inputs.size() == 1;
  if (node.op == "Clip") node.since = 6;  // bounds as attributes
  if ((node.op == "Reshape" || node.op == "Expand") && alone) {
    if (node.op == "Reshape") node.attributes.set("allowzero", int64_t{1});
    node.inputs.push_back(list(graph, node, "shape", dims_of(graph, node.output())));
  }
  if (node.op == "Slice" && alone) state_slice(graph, node);
  if (node.op == "Pad" && node.attributes.has("pads"))
    node.inputs.insert(node.inputs.begin() + 1,
                       list(graph, node, "pads", node.attributes.integers("pads")));
  if (node.op.starts_with("Reduce") && alone) state_reduction(graph, node);
  if (node.op == "Cast" && !node.attributes.has("to"))
    node.attributes.set("to", static_cast<int64_t>(graph.value(node.output()).type));
}

}  // namespace

Graph as_stated(const Graph& canonical) {
  Graph graph = canonical;
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (graph.nodes()[i].raw) continue;
    Node node = graph.nodes()[i];
    state(graph, node);
    graph.nodes()[i] = std::move(node);
  }
  return graph;
}

}  // namespace casemate::driver
