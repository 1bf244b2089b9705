// SPDX-License-Identifier: Apache-2.0
// Operators that compute, where operator sets differ or the canonical form is simpler.
#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/passes/canonical.h"

namespace casemate::engine {
namespace {

const Shape& shape_of(const Graph& graph, ValueId id) { return graph.value(id).shapes.front(); }

bool real(const Graph& graph, ValueId id) {
  return id.present() && graph.value(id).type == ElementType::kFloat32;
}

void become(Node& node, std::string op, std::vector<ValueId> inputs, Attributes attributes) {
  node.op = std::move(op);
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  node.outputs.resize(1);
  node.raw = false;
}

ValueId add_inner(Graph& graph, const Node& node, std::string op, std::vector<ValueId> inputs,
                  Attributes attributes, const Shape& shape) {
  const ElementType type = graph.value(node.output()).type;
  Node inner{.op = std::move(op),
             .name = node.name,
             .inputs = std::move(inputs),
             .attributes = std::move(attributes)};
  inner.raw = false;
  return graph.add_node(std::move(inner),
                        {{formatted("{}/{}", node.name, graph.value_count()), type, {shape}}});
}

ValueId scalar(Graph& graph, const Node& node, float value) {
  return graph.add_constant(node.name + "/scalar", Tensor::of<float>(Shape{}, {value}));
}

// `id` times `factor`: at once where it is a constant, by a node where it is not.
ValueId scaled(Graph& graph, const Node& node, ValueId id, float factor) {
  if (factor == 1.0F) return id;
  if (const Tensor* constant = graph.constant(id)) {
    Tensor product = *constant;
    for (float& element : product.values<float>()) element *= factor;
    return graph.add_constant(node.name + "/scaled", std::move(product));
  }
  const Shape shape = shape_of(graph, id);
  return add_inner(graph, node, "Mul", {id, scalar(graph, node, factor)}, {}, shape);
}

// Y = alpha A' B' + beta C. The canonical form has no scalars.
void canonize_gemm(Graph& graph, Node& node) {
  if (!real(graph, node.inputs[0])) return;
  const Attributes given = node.attributes;
  std::vector<ValueId> inputs = {node.inputs[0], node.inputs[1]};
  const size_t smaller = graph.constant(inputs[1]) != nullptr ? 1 : 0;
  inputs[smaller] = scaled(graph, node, inputs[smaller], given.real("alpha", 1.0F));
  if (const float beta = given.real("beta", 1.0F); node.input(2).present() && beta != 0)
    inputs.push_back(scaled(graph, node, node.inputs[2], beta));
  become(node, "Gemm", std::move(inputs),
         {{"transA", given.integer("transA", 0)}, {"transB", given.integer("transB", 0)}});
}

void canonize_batch_normalization(Graph& graph, Node& node) {
  const auto wanted = [&](size_t i) {
    return i < node.outputs.size() && node.outputs[i].present();
  };
  const Attributes& given = node.attributes;
  // Before operator set 7 an attribute said that it is not for training.
  const bool trains = given.integer("training_mode", 0) != 0 ||
                      (node.since < 7 && node.since > 0 && given.integer("is_test", 0) == 0);
  if (trains || wanted(1) || wanted(2) || given.integer("spatial", 1) != 1) return;
  const Shape& input = shape_of(graph, node.inputs[0]);
  if (!real(graph, node.inputs[0]) || input.rank() < 2) return;
  for (size_t i = 1; i < 5; ++i) {
    if (!real(graph, node.input(i)) || graph.constant(node.inputs[i]) == nullptr) return;
    if (shape_of(graph, node.inputs[i]) != Shape{input[1]}) return;
  }
  node.inputs.resize(5);
  become(node, "BatchNormalization", node.inputs, {{"epsilon", given.real("epsilon", 1e-5F)}});
}

// Before operator set 13, everything from the axis on was one dimension.
void canonize_softmax(Graph& graph, Node& node) {
  const Shape shape = shape_of(graph, node.inputs[0]);
  const uint32_t rank = shape.rank();
  if (!real(graph, node.inputs[0]) || rank == 0) return;
  const bool flattens = node.since != 0 && node.since < 13;
  int64_t axis = node.attributes.integer("axis", flattens ? 1 : -1);
  if (axis < 0) axis += rank;
  if (!flattens || axis + 1 == rank) {
    become(node, node.op, {node.inputs[0]}, {{"axis", axis}});
    return;
  }
  int64_t rows = 1;
  int64_t columns = 1;
  for (uint32_t i = 0; i < rank; ++i) (i < axis ? rows : columns) *= shape[i];
  const Shape flat{rows, columns};
  const ValueId matrix = add_inner(graph, node, "Reshape", {node.inputs[0]}, {}, flat);
  const ValueId result = add_inner(graph, node, node.op, {matrix}, {{"axis", int64_t{1}}}, flat);
  become(node, "Reshape", {result}, {});
}

void canonize_aligned(Graph& graph, Node& node);

void canonize_pow(Graph& graph, Node& node) {
  canonize_aligned(graph, node);
  const ElementType exponent = graph.value(node.inputs[1]).type;
  const bool castable = exponent == ElementType::kFloat32 || exponent == ElementType::kInt32 ||
                        exponent == ElementType::kInt64 || exponent == ElementType::kFloat64;
  if (!real(graph, node.inputs[0]) || !castable) return;
  if (!real(graph, node.inputs[1])) {
    const Shape shape = shape_of(graph, node.inputs[1]);
    node.inputs[1] = add_inner(graph, node, "Cast", {node.inputs[1]}, {}, shape);
  }
  become(node, "Pow", node.inputs, {});
}

// A bound of Clip: an attribute before operator set 11, since then an optional input.
std::optional<float> bound_of(const Graph& graph, const Node& node, size_t input,
                              std::string_view name, float otherwise) {
  if (!node.input(input).present()) return node.attributes.real(name, otherwise);
  const Tensor* constant = graph.constant(node.input(input));
  if (constant == nullptr || constant->type() != ElementType::kFloat32 || constant->count() != 1)
    return std::nullopt;
  return constant->values<float>()[0];
}

void canonize_clip(Graph& graph, Node& node) {
  const auto lowest = bound_of(graph, node, 1, "min", std::numeric_limits<float>::lowest());
  const auto highest = bound_of(graph, node, 2, "max", std::numeric_limits<float>::max());
  if (!real(graph, node.inputs[0]) || !lowest || !highest) return;
  become(node, "Clip", {node.inputs[0]}, {{"min", *lowest}, {"max", *highest}});
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  for (uint32_t i = 0; i < shorter.rank(); ++i) {
    int64_t& extent = result[i + longer.rank() - shorter.rank()];
    if (extent != shorter[i] && extent != 1 && shorter[i] != 1) return std::nullopt;
    if (extent == 1) extent = shorter[i];
  }
  return result;
}

// Sum, Mean, Min and Max of any number of values become a chain of two each.
void canonize_variadic(Graph& graph, Node& node) {
  if (!real(graph, node.inputs[0])) return;
  const bool mean = node.op == "Mean";
  const std::string op = mean || node.op == "Sum" ? "Add" : node.op;
  const std::vector<ValueId> inputs = node.inputs;
  if (inputs.size() == 1) return become(node, "Identity", inputs, {});
  ValueId total = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (i + 1 == inputs.size() && !mean) return become(node, op, {total, inputs[i]}, {});
    const auto shape = broadcast(shape_of(graph, total), shape_of(graph, inputs[i]));
    if (!shape) return;
    total = add_inner(graph, node, op, {total, inputs[i]}, {}, *shape);
  }
  const ValueId share = scalar(graph, node, 1.0F / static_cast<float>(inputs.size()));
  become(node, "Mul", {total, share}, {});
}

void canonize_reduction(Graph& graph, Node& node) {
  auto axes = list_of(graph, node, 1, "axes");
  if (!real(graph, node.inputs[0]) || !axes) return;
  const uint32_t rank = shape_of(graph, node.inputs[0]).rank();
  if (axes->empty() && node.attributes.integer("noop_with_empty_axes", 0) != 0)
    return become(node, "Identity", {node.inputs[0]}, {});
  for (int64_t& axis : *axes) {
    if (axis < 0) axis += rank;
  }
  if (axes->empty()) {
    axes->resize(rank);
    std::iota(axes->begin(), axes->end(), 0);
  }
  const auto count = shape_of(graph, node.inputs[0]).element_count();
  if (!count || *count == 0) return;  // of nothing: the operator's own function knows
  become(node, node.op, {node.inputs[0]}, {{"axes", *axes}});
}

// Before operator set 7, the second operand was aligned at an axis, and only if it was asked for.
void canonize_aligned(Graph& graph, Node& node) {
  if (node.since == 0 || node.since >= 7) return;
  const Shape& first = shape_of(graph, node.inputs[0]);
  const Shape second = shape_of(graph, node.inputs[1]);
  const bool slope = node.op == "PRelu";  // one for each channel, or one for all
  const int64_t behind = static_cast<int64_t>(first.rank()) - second.rank();
  const int64_t axis = slope ? 1 : node.attributes.integer("axis", behind);
  const int64_t ones = first.rank() - (axis < 0 ? axis + first.rank() : axis) - second.rank();
  if (second.rank() > 0 && ones > 0 && first.rank() > 0) {
    std::vector<int64_t> dims(second.dims().begin(), second.dims().end());
    if (!slope || dims[0] != 1) dims.resize(dims.size() + static_cast<size_t>(ones), 1);
    const ElementType type = graph.value(node.inputs[1]).type;
    Node reshape{.op = "Reshape", .name = node.name, .inputs = {node.inputs[1]}};
    node.inputs[1] =
        graph.add_node(std::move(reshape),
                       {{formatted("{}/{}", node.name, graph.value_count()), type, {Shape(dims)}}});
  }
  node.attributes = {};
  node.since = 7;
}

}  // namespace

Canonize find_math_form(std::string_view op) {
  static const std::map<std::string_view, Canonize> kForms = {
      {"Add", canonize_aligned},
      {"And", canonize_aligned},
      {"BatchNormalization", canonize_batch_normalization},
      {"Clip", canonize_clip},
      {"Div", canonize_aligned},
      {"Equal", canonize_aligned},
      {"Gemm", canonize_gemm},
      {"Greater", canonize_aligned},
      {"Less", canonize_aligned},
      {"LogSoftmax", canonize_softmax},
      {"Max", canonize_variadic},
      {"Mean", canonize_variadic},
      {"Min", canonize_variadic},
      {"Mul", canonize_aligned},
      {"Or", canonize_aligned},
      {"PRelu", canonize_aligned},
      {"Pow", canonize_pow},
      {"ReduceMax", canonize_reduction},
      {"ReduceMean", canonize_reduction},
      {"ReduceMin", canonize_reduction},
      {"ReduceSum", canonize_reduction},
      {"Softmax", canonize_softmax},
      {"Sub", canonize_aligned},
      {"Sum", canonize_variadic},
      {"Xor", canonize_aligned},
  };
  const auto found = kForms.find(op);
  return found == kForms.end() ? nullptr : found->second;
}

}  // namespace casemate::engine
