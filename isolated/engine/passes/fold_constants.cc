// SPDX-License-Identifier: Apache-2.0
// A small interpreter for the operators that exporters put between constants: they compute shapes,
// or bring weights into form. What it does not know stays in the graph.
#include <algorithm>
#include <cmath>
#include <functional>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

using Inputs = std::vector<const Tensor*>;

template <class T>
bool apply(const Node& node, T& a, T b) {
  // Integers wrap, and a division that C++ leaves undefined is not folded.
  using U =
      std::conditional_t<std::is_integral_v<T>,
                         std::make_unsigned_t<std::conditional_t<std::is_integral_v<T>, T, int>>,
                         T>;
  if (node.op == "Add")
    a = static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  else if (node.op == "Sub")
    a = static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
  else if (node.op == "Mul")
    a = static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  else if (node.op == "Div") {
    if (std::is_integral_v<T> && (b == T{} || b == static_cast<T>(-1))) return false;
    a = static_cast<T>(a / b);
  } else {
    return false;
  }
  return true;
}

template <class T>
std::optional<Tensor> binary(const Node& node, const Tensor& a, const Tensor& b,
                             const Shape& shape) {
  if (!broadcastable(a.shape(), shape) || !broadcastable(b.shape(), shape)) return std::nullopt;
  auto result = Tensor::zeros(a.type(), shape);
  if (!result) return std::nullopt;
  const std::array<Steps, 2> steps = {broadcast_steps(a.shape(), shape),
                                      broadcast_steps(b.shape(), shape)};
  const auto x = a.values<T>();
  const auto y = b.values<T>();
  const auto z = result->template values<T>();
  const uint32_t last = std::max(shape.rank(), 1u) - 1;
  size_t next = 0;
  bool known = true;
  for_each_row(shape, steps, [&](const auto& offsets, int64_t columns) {
    for (int64_t i = 0; i < columns && known; ++i) {
      T value = x[static_cast<size_t>(offsets[0] + i * steps[0][last])];
      known = apply(node, value, y[static_cast<size_t>(offsets[1] + i * steps[1][last])]);
      z[next++] = value;
    }
  });
  if (!known) return std::nullopt;
  return *std::move(result);
}

std::optional<Tensor> unary(const Node& node, const Tensor& x) {
  if (x.type() != ElementType::kFloat32) return std::nullopt;
  float (*function)(float) = nullptr;
  if (node.op == "Neg") function = [](float v) { return -v; };
  if (node.op == "Sqrt") function = [](float v) { return std::sqrt(v); };
  if (node.op == "Exp") function = [](float v) { return std::exp(v); };
  if (node.op == "Reciprocal") function = [](float v) { return 1.0F / v; };
  if (function == nullptr) return std::nullopt;
  Tensor result = x;
  for (float& value : result.values<float>()) value = function(value);
  return result;
}

std::optional<Tensor> moved(const Node& node, const Inputs& inputs, const Shape& shape) {
  const Tensor& x = *inputs[0];
  const auto box = box_of(node, x.shape(), shape);
  auto result = Tensor::zeros(x.type(), shape);
  if (!box || !result || !inside(*box, x.shape(), shape)) return std::nullopt;
  const size_t size = size_of(x.type());
  auto* const target = const_cast<uint8_t*>(result->bytes().data());  // our own, fresh tensor
  if (node.op == "Pad") {
    if (inputs.size() < 2 || inputs[1]->count() != 1) return std::nullopt;
    copy_box({.shape = shape, .write = dense_steps(shape)}, size, inputs[1]->bytes().data(),
             target);
  }
  copy_box(*box, size, x.bytes().data(), target);
  return *std::move(result);
}

std::optional<Tensor> concat(const Node& node, const Inputs& inputs, const Shape& shape) {
  int64_t axis = node.attributes.integer("axis", 0);
  if (axis < 0) axis += shape.rank();
  if (axis < 0 || axis >= static_cast<int64_t>(shape.rank())) return std::nullopt;
  auto result = Tensor::zeros(inputs[0]->type(), shape);
  if (!result) return std::nullopt;
  auto* const target = const_cast<uint8_t*>(result->bytes().data());  // our own, fresh tensor
  Box box{.write = dense_steps(shape)};
  for (const Tensor* input : inputs) {
    box.shape = input->shape();
    box.read = dense_steps(input->shape());
    if (input->type() != inputs[0]->type() || input->shape().rank() != shape.rank() ||
        !inside(box, input->shape(), shape)) {
      return std::nullopt;
    }
    copy_box(box, size_of(input->type()), input->bytes().data(), target);
    box.to += input->shape()[static_cast<size_t>(axis)] * box.write[static_cast<size_t>(axis)];
  }
  return *std::move(result);
}

// Rows of the first input, picked by INT64 indices along the axis.
std::optional<Tensor> gather(const Node& node, const Inputs& inputs, const Shape& shape) {
  const Shape& from = inputs[0]->shape();
  int64_t axis = node.attributes.integer("axis", 0);
  if (axis < 0) axis += from.rank();
  if (axis < 0 || axis >= static_cast<int64_t>(from.rank()) ||
      inputs[1]->type() != ElementType::kInt64) {
    return std::nullopt;
  }
  size_t outer = 1;
  size_t inner = size_of(inputs[0]->type());
  for (size_t i = 0; i < from.rank(); ++i) {
    if (static_cast<int64_t>(i) < axis) outer *= static_cast<size_t>(from[i]);
    if (static_cast<int64_t>(i) > axis) inner *= static_cast<size_t>(from[i]);
  }
  const int64_t extent = from[static_cast<size_t>(axis)];
  const Bytes source = inputs[0]->bytes();
  std::string bytes;
  for (size_t i = 0; i < outer; ++i) {
    for (int64_t index : inputs[1]->values<int64_t>()) {
      if (index < 0) index += extent;
      if (index < 0 || index >= extent) return std::nullopt;
      const size_t row = i * static_cast<size_t>(extent) + static_cast<size_t>(index);
      bytes.append(text_of(source.subspan(row * inner, inner)));
    }
  }
  auto result = Tensor::make(inputs[0]->type(), shape, std::move(bytes));
  if (!result) return std::nullopt;
  return *std::move(result);
}

template <class To, class From>
std::optional<Tensor> converted(const Tensor& x) {
  std::vector<To> values;
  for (const From value : x.values<From>()) {
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      if (!(std::fabs(value) < 0x1p31)) return std::nullopt;
    }
    values.push_back(static_cast<To>(value));
  }
  return Tensor::of<To>(x.shape(), std::span<const To>(values));
}

std::optional<Tensor> cast(const Tensor& x, ElementType to) {
  using enum ElementType;
  const ElementType from = x.type();
  if (from == kInt64 && to == kFloat32) return converted<float, int64_t>(x);
  if (from == kInt64 && to == kInt32) return converted<int32_t, int64_t>(x);
  if (from == kInt32 && to == kInt64) return converted<int64_t, int32_t>(x);
  if (from == kInt32 && to == kFloat32) return converted<float, int32_t>(x);
  if (from == kFloat32 && to == kInt64) return converted<int64_t, float>(x);
  return std::nullopt;
}

std::optional<Tensor> evaluate(const Node& node, const Inputs& inputs, ElementType type,
                               const Shape& shape) {
  const Tensor& x = *inputs[0];
  if (node.op == "Reshape") {
    const auto count = shape.element_count();
    if (!count || *count != x.count()) return std::nullopt;
    return x.reshaped(shape);
  }
  if (node.op == "Cast") return cast(x, type);
  if (node.op == "Concat") return concat(node, inputs, shape);
  if (inputs.size() == 1 || node.op == "Pad") {
    auto result = moved(node, inputs, shape);
    return result ? std::move(result) : unary(node, x);
  }
  if (inputs.size() != 2) return std::nullopt;
  if (node.op == "Gather") return gather(node, inputs, shape);
  if (inputs[1]->type() != x.type()) return std::nullopt;
  if (x.type() == ElementType::kFloat32) return binary<float>(node, x, *inputs[1], shape);
  if (x.type() == ElementType::kInt64) return binary<int64_t>(node, x, *inputs[1], shape);
  return std::nullopt;
}

// The one shape of a value whose shape is the same in all variants.
const Shape* fixed_shape(const Value& value) {
  const auto differs = [&](const Shape& shape) { return shape != value.shapes.front(); };
  return std::ranges::any_of(value.shapes, differs) ? nullptr : &value.shapes.front();
}

}  // namespace

void fold_constants(Graph& graph) {
  uint64_t folded = 0;
  std::vector<bool> done(graph.nodes().size());
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    Value& output = graph.value(node.output());
    const Shape* shape = fixed_shape(output);
    if (shape == nullptr || node.outputs.size() != 1 || node.inputs.empty() ||
        !node.post_ops.empty())
      continue;
    Inputs inputs;
    for (const ValueId id : node.inputs) inputs.push_back(graph.constant(id));
    if (std::ranges::contains(inputs, nullptr)) continue;
    const auto bytes = tensor_bytes(output.type, *shape);
    if (!bytes || *bytes > kFoldedBytesMax - folded) continue;
    auto result = evaluate(node, inputs, output.type, *shape);
    if (!result || result->type() != output.type || result->shape() != *shape) continue;
    folded += *bytes;
    output.constant = std::move(result);
    done[i] = true;
  }
  // A value is either made by a node or a constant.
  size_t index = 0;
  std::erase_if(graph.nodes(), [&](const Node&) { return done[index++]; });
}

}  // namespace casemate::engine
