// SPDX-License-Identifier: Apache-2.0
// Operators that compute nothing: what only changes the shape becomes Reshape; Slice, Pad and
// Expand get what they need per dimension.
#include <algorithm>
#include <map>
#include <numeric>

#include "isolated/engine/passes/canonical.h"

namespace casemate::engine {
namespace {

// Kernels move elements of fixed size.
bool movable(const Graph& graph, const Node& node) {
  return node.input(0).present() && graph.value(node.input(0)).type != ElementType::kString;
}

const Shape& shape_of(const Graph& graph, ValueId id) { return graph.value(id).shapes.front(); }

void become(Node& node, std::string op, std::vector<ValueId> inputs, Attributes attributes) {
  node.op = std::move(op);
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  node.outputs.resize(1);
  node.raw = false;
}

std::vector<int64_t> all_axes(uint32_t rank) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

void canonize_reshape(Graph& graph, Node& node) {
  if (movable(graph, node)) become(node, "Reshape", {node.inputs[0]}, {});
}

void canonize_identity(Graph& graph, Node& node) {
  const bool trains = node.op == "Dropout" && node.input(2).present();
  const bool masks = node.outputs.size() > 1 && node.outputs[1].present();
  if (movable(graph, node) && !trains && !masks) become(node, "Identity", {node.inputs[0]}, {});
}

void canonize_transpose(Graph& graph, Node& node) {
  if (!movable(graph, node)) return;
  std::vector<int64_t> order = node.attributes.integers("perm");
  if (order.empty()) {
    order = all_axes(shape_of(graph, node.inputs[0]).rank());
    std::ranges::reverse(order);
  }
  become(node, "Transpose", {node.inputs[0]}, {{"perm", order}});
}

void canonize_expand(Graph& graph, Node& node) {
  if (movable(graph, node)) become(node, "Expand", {node.inputs[0]}, {});
}

void canonize_slice(Graph& graph, Node& node) {
  const auto given_starts = list_of(graph, node, 1, "starts");
  const auto given_axes = list_of(graph, node, 3, "axes");
  const auto given_steps = list_of(graph, node, 4, "");
  if (!movable(graph, node) || !given_starts || !given_axes || !given_steps) return;
  const Shape& input = shape_of(graph, node.inputs[0]);
  const uint32_t rank = input.rank();
  std::vector<int64_t> starts(rank, 0);
  std::vector<int64_t> steps(rank, 1);
  for (size_t i = 0; i < given_starts->size(); ++i) {
    int64_t axis = given_axes->empty() ? static_cast<int64_t>(i) : (*given_axes)[i];
    if (axis < 0) axis += rank;
    const auto d = static_cast<size_t>(axis);
    const int64_t extent = input[d];
    const int64_t step = given_steps->empty() ? 1 : (*given_steps)[i];
    constexpr int64_t kFar = 1ll << 40;  // beyond every extent, and safe to multiply
    steps[d] = std::clamp(step, -kFar, kFar);
    int64_t start = (*given_starts)[i];
    if (start < 0) start = start < -extent ? (step > 0 ? 0 : -1) : start + extent;
    starts[d] = std::clamp(start, int64_t{0}, std::max<int64_t>(step > 0 ? extent : extent - 1, 0));
  }
  become(node, "Slice", {node.inputs[0]}, {{"starts", starts}, {"steps", steps}});
}

// The constant to pad with, as a scalar of the input's type.
std::optional<Tensor> fill_of(const Graph& graph, const Node& node) {
  const ElementType type = graph.value(node.inputs[0]).type;
  if (node.input(2).present()) {
    const Tensor* constant = graph.constant(node.input(2));
    if (constant == nullptr || constant->count() != 1 || constant->type() != type)
      return std::nullopt;
    return constant->reshaped({});
  }
  const float value = node.attributes.real("value", 0);
  if (value != 0 && type != ElementType::kFloat32) return std::nullopt;
  if (value != 0) return Tensor::of<float>({}, {value});
  auto zero = Tensor::zeros(type, {});
  if (!zero) return std::nullopt;
  return *std::move(zero);
}

void canonize_pad(Graph& graph, Node& node) {
  const auto given = list_of(graph, node, 1, node.attributes.has("paddings") ? "paddings" : "pads");
  auto axes = list_of(graph, node, 3, "");
  if (!movable(graph, node) || node.attributes.text("mode", "constant") != "constant" || !given ||
      !axes)
    return;
  const uint32_t rank = shape_of(graph, node.inputs[0]).rank();
  if (axes->empty()) axes = all_axes(rank);
  const auto negative = [](int64_t pad) { return pad < 0; };
  const auto fill = fill_of(graph, node);
  if (!fill || given->size() != 2 * axes->size() || std::ranges::any_of(*given, negative)) return;
  std::vector<int64_t> pads(size_t{2} * rank, 0);
  for (size_t i = 0; i < axes->size(); ++i) {
    const auto axis = static_cast<size_t>((*axes)[i] < 0 ? (*axes)[i] + rank : (*axes)[i]);
    pads[axis] = (*given)[i];
    pads[axis + rank] = (*given)[i + axes->size()];
  }
  const ValueId value = graph.add_constant(node.name + "/fill", *fill);
  become(node, "Pad", {node.inputs[0], value}, {{"pads", pads}});
}

}  // namespace

Canonize find_movement_form(std::string_view op) {
  static const std::map<std::string_view, Canonize> kForms = {
      {"Dropout", canonize_identity},
      {"Expand", canonize_expand},
      {"Flatten", canonize_reshape},
      {"Identity", canonize_identity},
      {"Pad", canonize_pad},
      {"Reshape", canonize_reshape},
      {"Slice", canonize_slice},
      {"Squeeze", canonize_reshape},
      {"Transpose", canonize_transpose},
      {"Unsqueeze", canonize_reshape},
  };
  const auto found = kForms.find(op);
  return found == kForms.end() ? nullptr : found->second;
}

}  // namespace casemate::engine
