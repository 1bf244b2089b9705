// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/quantised.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace casemate::engine {
namespace {

std::optional<float> one_real(const Tensor* constant) {
  if (constant == nullptr || constant->type() != ElementType::kFloat32 || constant->count() != 1)
    return std::nullopt;
  return constant->values<float>()[0];
}

std::optional<int32_t> one_byte(const Tensor* constant) {
  if (constant == nullptr || !byte_type(constant->type()) || constant->count() != 1)
    return std::nullopt;
  if (constant->type() == ElementType::kInt8) return constant->values<int8_t>()[0];
  return constant->values<uint8_t>()[0];
}

// One number, or one for each index along the axis of the constant.
bool along(const Tensor& parameter, int64_t axis, int64_t wanted, int64_t count) {
  if (parameter.count() == 1) return true;
  return axis == wanted && parameter.shape() == Shape{count};
}

}  // namespace

bool byte_type(ElementType type) {
  return type == ElementType::kUint8 || type == ElementType::kInt8;
}

std::optional<Scaled> Quantised::scaled(ValueId bytes, const Node& node) const {
  const auto scale = one_real(graph_.constant(node.input(1)));
  const ElementType type = graph_.value(bytes).type;
  // What is no number, or endless, is left to the operators' own functions.
  if (!scale || !std::isfinite(*scale) || !(*scale > 0) || !byte_type(type)) return std::nullopt;
  Scaled made{.bytes = bytes,
              .scale = node.inputs[1],
              .zero = node.input(2),
              .scale_value = *scale,
              .zero_value = 0,
              .type = type};
  if (!made.zero.present()) return made;
  const auto zero = one_byte(graph_.constant(made.zero));
  if (!zero || graph_.value(made.zero).type != type) return std::nullopt;
  made.zero_value = *zero;
  return made;
}

std::optional<Scaled> Quantised::source(ValueId real) const {
  const auto maker = real.present() ? uses_.maker(real) : std::nullopt;
  if (!maker) return std::nullopt;
  const Node& node = graph_.nodes()[*maker];
  if (node.op != "DequantizeLinear" || graph_.value(real).type != ElementType::kFloat32 ||
      graph_.constant(node.inputs[0]) != nullptr)
    return std::nullopt;
  return scaled(node.inputs[0], node);
}

std::optional<Scaled> Quantised::target(const Node& node) const {
  if (node.op != "QuantizeLinear" || graph_.value(node.inputs[0]).type != ElementType::kFloat32)
    return std::nullopt;
  return scaled(node.output(), node);
}

const Node* Quantised::only_maker(ValueId id) const {
  const auto maker = uses_.maker(id);
  if (!maker || !uses_.only_reader(id)) return nullptr;
  return &graph_.nodes()[*maker];
}

const Node* Quantised::origin(ValueId constant) const {
  if (!constant.present()) return nullptr;
  for (const size_t reader : uses_.readers(constant)) {
    const Node& node = graph_.nodes()[reader];
    if (node.op == "casemate:Dequantised" && node.inputs[0] == constant) return &node;
  }
  return nullptr;
}

std::optional<ScaledWeights> Quantised::weights(ValueId constant, int64_t axis,
                                                int64_t count) const {
  const Node* const from = origin(constant);
  if (from == nullptr) return std::nullopt;
  const Tensor* const integers = graph_.constant(from->input(1));
  const Tensor* const scale = graph_.constant(from->input(2));
  if (integers == nullptr || scale == nullptr || !byte_type(integers->type()) ||
      scale->type() != ElementType::kFloat32 ||
      integers->shape() != graph_.value(constant).shapes.front())
    return std::nullopt;
  const int64_t rank = integers->shape().rank();
  const int64_t counted = from->attributes.integer("axis", 1);
  const int64_t given = counted < 0 ? counted + rank : counted;
  if (!along(*scale, given, axis, count)) return std::nullopt;
  if (from->input(3).present()) {
    const Tensor* const zero = graph_.constant(from->input(3));
    if (zero == nullptr || zero->type() != integers->type() || !along(*zero, given, axis, count))
      return std::nullopt;
  }
  const auto values = scale->values<float>();
  std::vector<float> scales(values.begin(), values.end());
  if (scales.size() == 1) scales.resize(static_cast<size_t>(count), scales.front());
  return ScaledWeights{from->input(1), from->input(2), from->input(3), std::move(scales)};
}

ValueId Quantised::zero_of(const Scaled& scaled, const std::string& name) {
  if (scaled.zero.present()) return scaled.zero;
  return graph_.add_constant(name + "/zero", scaled.type == ElementType::kInt8
                                                 ? Tensor::of<int8_t>(Shape{}, {0})
                                                 : Tensor::of<uint8_t>(Shape{}, {0}));
}

ValueId Quantised::bias(ValueId constant, float scale, const std::vector<float>& scales,
                        int64_t count, const std::string& name) {
  const Tensor* const reals = graph_.constant(constant);
  if (reals == nullptr || reals->type() != ElementType::kFloat32 ||
      reals->count() != static_cast<uint64_t>(count))
    return {};
  constexpr double kMost = std::numeric_limits<int32_t>::max();
  constexpr double kLeast = std::numeric_limits<int32_t>::min();
  const auto values = reals->values<float>();
  std::vector<int32_t> steps(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const double step = double{scale} * double{scales[i]};
    const double whole = std::nearbyint(double{values[i]} / step);
    // More than 32 bits hold is no bias that a quantised model has.
    if (!(whole >= kLeast && whole <= kMost)) return {};
    steps[i] = static_cast<int32_t>(whole);
  }
  return graph_.add_constant(name + "/bias",
                             Tensor::of<int32_t>(Shape{count}, std::span<const int32_t>(steps)));
}

}  // namespace casemate::engine
