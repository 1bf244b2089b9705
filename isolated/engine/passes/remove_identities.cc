// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

bool same_shape(const Graph& graph, ValueId a, ValueId b) {
  return graph.value(a).shapes == graph.value(b).shapes;
}

// A transposition that moves only dimensions of extent 1 leaves every element where it is.
bool moves_nothing(const Graph& graph, const Node& node) {
  const std::vector<int64_t> order = node.attributes.integers("perm");
  for (const Shape& shape : graph.value(node.inputs[0]).shapes) {
    int64_t last = -1;
    for (const int64_t axis : order) {
      if (shape[static_cast<size_t>(axis)] == 1) continue;
      if (axis < last) return false;
      last = axis;
    }
  }
  return true;
}

bool changes_nothing(const Graph& graph, const Node& node) {
  if (node.op == "Identity") return true;
  if (node.op == "Cast") return graph.value(node.inputs[0]).type == graph.value(node.output()).type;
  if (node.op == "Reshape") return same_shape(graph, node.inputs[0], node.output());
  if (node.op == "Concat") return node.inputs.size() == 1;
  return false;
}

// What adds nothing to a Concat: a cache that is still empty, for example.
bool empty(const Graph& graph, ValueId id) {
  return std::ranges::all_of(graph.value(id).shapes, [](const Shape& shape) {
    return shape.element_count().value_or(1) == 0;
  });
}

void drop_empty_parts(const Graph& graph, Node& node) {
  if (std::ranges::all_of(node.inputs, [&](ValueId id) { return empty(graph, id); })) return;
  std::erase_if(node.inputs, [&](ValueId id) { return empty(graph, id); });
}

}  // namespace

void remove_identities(Graph& graph) {
  std::vector<std::optional<size_t>> makers(graph.value_count());
  std::vector<ValueId> same(graph.value_count());  // what a value is but another name for
  for (uint32_t i = 0; i < same.size(); ++i) same[i] = {i};
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    Node& node = graph.nodes()[i];
    for (ValueId& id : node.inputs) {
      if (id.present()) id = same[id.index];
    }
    if (node.op == "Concat") drop_empty_parts(graph, node);
    if (node.op == "Transpose" && !node.raw && moves_nothing(graph, node)) {
      node.op = "Reshape";
      node.attributes = {};
    }
    if (node.op == "Reshape") {
      const auto maker = makers[node.inputs[0].index];
      if (maker && graph.nodes()[*maker].op == "Reshape")
        node.inputs[0] = graph.nodes()[*maker].inputs[0];
    }
    if (changes_nothing(graph, node)) same[node.output().index] = node.inputs[0];
    for (const ValueId id : node.outputs) {
      if (id.present()) makers[id.index] = i;
    }
  }
  for (ValueId& id : graph.outputs()) id = same[id.index];
}

}  // namespace casemate::engine
