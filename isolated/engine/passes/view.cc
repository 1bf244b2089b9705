// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/view.h"

#include <algorithm>

namespace casemate::engine {
namespace {

// A value on the way back from the one that is viewed, and the node that made it.
struct Link {
  const Node* node;
  ValueId made;
};

const Shape& shape_of(const Graph& graph, ValueId id) { return graph.value(id).shapes.front(); }

View dense(const Graph& graph, ValueId id) {
  View view{.base = id};
  const auto dims = shape_of(graph, id).dims();
  view.dims.assign(dims.begin(), dims.end());
  view.steps.resize(dims.size());
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    view.steps[i] = dims[i] == 1 ? 0 : step;
    step *= dims[i];
  }
  return view;
}

// The steps of the same elements in another shape, where there are such: a group of old dimensions
// and one of new dimensions that hold as many elements go together, and the old ones must lie as if
// they were one.
bool reshape(View& view, std::span<const int64_t> dims) {
  std::vector<int64_t> old_dims;
  std::vector<int64_t> old_steps;
  for (size_t i = 0; i < view.dims.size(); ++i) {
    if (view.dims[i] == 0) return false;
    if (view.dims[i] == 1) continue;
    old_dims.push_back(view.dims[i]);
    old_steps.push_back(view.steps[i]);
  }
  std::vector<int64_t> steps(dims.size(), 0);
  size_t next = dims.size();
  for (size_t last = old_dims.size(); last-- > 0;) {
    int64_t step = old_steps[last];
    int64_t extent = old_dims[last];
    for (; last > 0 && old_steps[last - 1] == step * extent; --last) extent *= old_dims[last - 1];
    // `extent` elements, `step` apart, are to be the next of the new dimensions.
    while (extent > 1) {
      while (next > 0 && dims[next - 1] == 1) --next;
      if (next == 0 || extent % dims[next - 1] != 0) return false;
      --next;
      steps[next] = step;
      step *= dims[next];
      extent /= dims[next];
    }
  }
  view.dims.assign(dims.begin(), dims.end());
  view.steps = std::move(steps);
  return true;
}

bool transpose(View& view, const std::vector<int64_t>& order) {
  if (order.size() != view.dims.size()) return false;
  const View from = view;
  for (size_t i = 0; i < order.size(); ++i) {
    view.dims[i] = from.dims[static_cast<size_t>(order[i])];
    view.steps[i] = from.steps[static_cast<size_t>(order[i])];
  }
  return true;
}

bool split(const Graph& graph, const Link& link, View& view) {
  int64_t axis = link.node->attributes.integer("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(view.dims.size());
  const auto d = static_cast<size_t>(axis);
  if (d >= view.dims.size()) return false;
  int64_t before = 0;
  for (const ValueId id : link.node->outputs) {
    if (id == link.made) {
      view.offset += before * view.steps[d];
      view.dims[d] = shape_of(graph, id)[d];
      if (view.dims[d] == 1) view.steps[d] = 0;
      return true;
    }
    if (!id.present()) return false;
    before += shape_of(graph, id)[d];
  }
  return false;
}

bool slice(const Graph& graph, const Link& link, View& view) {
  const std::vector<int64_t> starts = link.node->attributes.integers("starts");
  const std::vector<int64_t> steps = link.node->attributes.integers("steps");
  const Shape& shape = shape_of(graph, link.made);
  if (starts.size() != view.dims.size() || steps.size() != view.dims.size()) return false;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (steps[i] <= 0 || shape[i] == 0) return false;
    view.offset += starts[i] * view.steps[i];
    view.dims[i] = shape[i];
    view.steps[i] = shape[i] == 1 ? 0 : view.steps[i] * steps[i];
  }
  return true;
}

// The scalar that a node multiplies its other input by, and which that is.
std::optional<std::pair<ValueId, double>> scaling(const Graph& graph, const Node& node) {
  if (!node.post_ops.empty() || node.inputs.size() != 2) return std::nullopt;
  const auto right = scalar_of(graph, node.inputs[1]);
  if (node.op == "Div" && right && *right != 0) return std::pair(node.inputs[0], 1 / *right);
  if (node.op == "Mul" && right) return std::pair(node.inputs[0], *right);
  const auto left = scalar_of(graph, node.inputs[0]);
  if (node.op == "Mul" && left) return std::pair(node.inputs[1], *left);
  return std::nullopt;
}

// What the node's result is a view of, if it is one.
std::optional<ValueId> viewed(const Graph& graph, const Node& node, bool with_factor) {
  if (node.op == "Split" ||
      (!node.raw && (node.op == "Reshape" || node.op == "Transpose" || node.op == "Slice"))) {
    return node.inputs[0];
  }
  if (!with_factor) return std::nullopt;
  const auto factor = scaling(graph, node);
  if (!factor || shape_of(graph, factor->first) != shape_of(graph, node.output()))
    return std::nullopt;
  return factor->first;
}

bool apply(const Graph& graph, const Link& link, View& view) {
  const Node& node = *link.node;
  if (node.op == "Reshape") return reshape(view, shape_of(graph, link.made).dims());
  if (node.op == "Transpose") return transpose(view, node.attributes.integers("perm"));
  if (node.op == "Split") return split(graph, link, view);
  if (node.op == "Slice") return slice(graph, link, view);
  view.factor *= scaling(graph, node)->second;
  return true;
}

}  // namespace

std::optional<double> scalar_of(const Graph& graph, ValueId id) {
  const Tensor* constant = graph.constant(id);
  if (constant == nullptr || constant->type() != ElementType::kFloat32 || constant->count() != 1)
    return std::nullopt;
  return constant->values<float>()[0];
}

View view_of(const Graph& graph, const Uses& uses, ValueId id, bool with_factor) {
  std::vector<Link> chain;
  constexpr size_t kLinksMax = 16;  // an exporter's chain is shorter; a hostile one costs no more
  while (chain.size() < kLinksMax) {
    const auto maker = uses.maker(id);
    if (!maker) break;
    const Node& node = graph.nodes()[*maker];
    const auto from = viewed(graph, node, with_factor);
    if (!from) break;
    chain.push_back({&node, id});
    id = *from;
  }
  View view = dense(graph, id);
  for (; !chain.empty(); chain.pop_back()) {
    if (!apply(graph, chain.back(), view)) view = dense(graph, chain.back().made);
  }
  return view;
}

}  // namespace casemate::engine
