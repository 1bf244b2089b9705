// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/canonical.h"

namespace casemate::engine {

std::optional<std::vector<int64_t>> list_of(const Graph& graph, const Node& node, size_t input,
                                            std::string_view attribute) {
  if (!node.input(input).present()) return node.attributes.integers(attribute);
  const Tensor* constant = graph.constant(node.input(input));
  if (constant == nullptr) return std::nullopt;
  if (constant->type() == ElementType::kInt64) {
    const auto values = constant->values<int64_t>();
    return std::vector<int64_t>(values.begin(), values.end());
  }
  if (constant->type() != ElementType::kInt32) return std::nullopt;
  const auto values = constant->values<int32_t>();
  return std::vector<int64_t>(values.begin(), values.end());
}

namespace {

void rewrite(Graph& graph, Node& node) {
  for (const auto find : {find_movement_form, find_window_form, find_math_form}) {
    if (const Canonize canonize = find(node.op)) return canonize(graph, node);
  }
}

}  // namespace

void make_canonical(Graph& graph) {
  std::vector<Node> nodes = std::move(graph.nodes());
  graph.nodes().clear();
  for (Node& node : nodes) {
    if (node.outputs.front().present()) rewrite(graph, node);
    graph.nodes().push_back(std::move(node));
  }
}

}  // namespace casemate::engine
