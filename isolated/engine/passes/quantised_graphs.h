// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: tiny graphs of quantised values, as pass_graphs.h has them of floats.

#include "isolated/engine/passes/pass_graphs.h"

namespace casemate::engine {

struct QuantisedDraft : Draft {
  // What a value is told by: one scale, one zero point.
  struct Steps {
    float scale = 0.02F;
    int zero = 128;
    ElementType type = ElementType::kUint8;
  };

  std::string fresh(const char* kind) { return kind + std::to_string(graph.value_count()); }
  ValueId scale_of(const Steps& steps) {
    return graph.add_constant(fresh("scale"), Tensor::of<float>(Shape{}, {steps.scale}));
  }
  ValueId zero_of(const Steps& steps) {
    const bool is_signed = steps.type == ElementType::kInt8;
    return graph.add_constant(
        fresh("zero"), is_signed
                           ? Tensor::of<int8_t>(Shape{}, {static_cast<int8_t>(steps.zero)})
                           : Tensor::of<uint8_t>(Shape{}, {static_cast<uint8_t>(steps.zero)}));
  }
  ValueId typed(const std::string& op, const std::vector<ValueId>& inputs, const Shape& shape,
                ElementType type, Attributes attributes = {}) {
    return graph.add_node({.op = op,
                           .name = fresh(op.c_str()),
                           .inputs = inputs,
                           .attributes = std::move(attributes)},
                          {{fresh("v"), type, {shape}}});
  }
  ValueId quantise(ValueId x, const Steps& steps) {
    return typed("QuantizeLinear", {x, scale_of(steps), zero_of(steps)}, graph.value(x).shapes[0],
                 steps.type);
  }
  ValueId dequantise(ValueId x, const Steps& steps) {
    return typed("DequantizeLinear", {x, scale_of(steps), zero_of(steps)}, graph.value(x).shapes[0],
                 ElementType::kFloat32);
  }
  // There and back.
  ValueId told(ValueId x, const Steps& steps) { return dequantise(quantise(x, steps), steps); }
  ValueId told(ValueId x) { return told(x, Steps{}); }

  // Signed bytes times a scale of their own for each index along the axis.
  ValueId told_weights(const Shape& shape, int64_t axis = 0) {
    Tensor bytes = *Tensor::zeros(ElementType::kInt8, shape);
    Tensor reals = *Tensor::zeros(ElementType::kFloat32, shape);
    std::vector<float> scales;
    const auto rows = static_cast<size_t>(shape[static_cast<uint32_t>(axis)]);
    for (size_t i = 0; i < rows; ++i) scales.push_back(0.002F * static_cast<float>(1 + i % 3));
    size_t inner = 1;
    for (uint32_t i = static_cast<uint32_t>(axis) + 1; i < shape.rank(); ++i)
      inner *= static_cast<size_t>(shape[i]);
    for (size_t i = 0; i < bytes.count(); ++i) {
      const auto byte = static_cast<int8_t>(i * 37 % 255 - 127);
      bytes.values<int8_t>()[i] = byte;
      reals.values<float>()[i] = static_cast<float>(byte) * scales[i / inner % rows];
    }
    const ValueId integers = graph.add_constant(fresh("bytes"), std::move(bytes));
    const ValueId scale = graph.add_constant(
        fresh("scales"), Tensor::of<float>(Shape{shape[static_cast<uint32_t>(axis)]},
                                           std::span<const float>(scales)));
    const ValueId made = graph.add_constant(fresh("w"), std::move(reals));
    typed("casemate:Dequantised", {made, integers, scale, {}}, {}, ElementType::kUint8,
          {{"axis", axis}});
    return made;
  }
  ValueId told_convolution(ValueId x, int64_t outputs, int64_t groups = 1) {
    Shape shape = graph.value(x).shapes[0];
    const Shape kernel{outputs, shape[1] / groups, 3, 3};
    shape[1] = outputs;
    return node("Conv", {x, told_weights(kernel), weights({outputs})}, shape,
                {{"kernel_shape", Ints{3, 3}},
                 {"pads", Ints{1, 1, 1, 1}},
                 {"strides", Ints{1, 1}},
                 {"dilations", Ints{1, 1}},
                 {"group", groups}});
  }
  static Attributes window() {
    return {{"kernel_shape", Ints{2, 2}},
            {"pads", Ints{0, 0, 0, 0}},
            {"strides", Ints{2, 2}},
            {"dilations", Ints{1, 1}}};
  }
};

inline const std::vector<PassGraph>& quantised_graphs() {
  using Steps = QuantisedDraft::Steps;
  static const Shape image{1, 20, 6, 6};
  static const std::vector<PassGraph> all = {
      {"a convolution between quantisations",
       [] {
         QuantisedDraft d;
         return d.finish({d.told(d.told_convolution(d.told(d.input(image)), 18))});
       },
       "QuantizeLinear QLinearConv DequantizeLinear"},
      {"a convolution and its activation",
       [] {
         QuantisedDraft d;
         const ValueId c = d.told_convolution(d.told(d.input(image)), 18);
         return d.finish({d.told(d.same("Relu", c), {.scale = 0.03F, .zero = 5})});
       },
       "QuantizeLinear QLinearConv+Relu DequantizeLinear"},
      {"signed bytes, and limits",
       [] {
         QuantisedDraft d;
         const Steps steps{.scale = 0.03F, .zero = -3, .type = ElementType::kInt8};
         const ValueId c = d.told_convolution(d.told(d.input(image), steps), 18);
         const ValueId y = d.node("Clip", {c}, {1, 18, 6, 6}, {{"min", -1.0F}, {"max", 1.5F}});
         return d.finish({d.told(y, steps)});
       },
       "QuantizeLinear QLinearConv+Clip DequantizeLinear"},
      {"a depth-wise convolution",
       [] {
         QuantisedDraft d;
         return d.finish({d.told(d.told_convolution(d.told(d.input(image)), 20, 20))});
       },
       "QuantizeLinear QLinearConv DequantizeLinear"},
      {"a convolution whose real result somebody else reads, too",
       [] {
         QuantisedDraft d;
         const ValueId c = d.told_convolution(d.told(d.input(image)), 18);
         return d.finish({d.told(c), d.same("Neg", c)});
       },
       "QuantizeLinear DequantizeLinear Conv QuantizeLinear DequantizeLinear Neg"},
      {"weights that were never quantised",
       [] {
         QuantisedDraft d;
         return d.finish({d.told(d.convolution(d.told(d.input(image)), 18))});
       },
       "QuantizeLinear DequantizeLinear Conv QuantizeLinear DequantizeLinear"},
      {"a residual of a convolution",
       [] {
         QuantisedDraft d;
         const ValueId x = d.told(d.input(image));
         const Steps steps{.scale = 0.05F, .zero = 120};
         const ValueId sum = d.add(d.told(d.told_convolution(x, 20), steps), x);
         return d.finish({d.told(d.same("Relu", sum), {.scale = 0.04F, .zero = 0})});
       },
       "QuantizeLinear QLinearConv+Add+Relu DequantizeLinear"},
      {"a sum of two inputs",
       [] {
         QuantisedDraft d;
         const Steps steps{.scale = 0.037F, .zero = 1, .type = ElementType::kInt8};
         return d.finish(
             {d.told(d.add(d.told(d.input(image)), d.told(d.input(image), steps)), steps)});
       },
       "QuantizeLinear QuantizeLinear casemate:QLinearAdd DequantizeLinear"},
      {"a product with a bias",
       [] {
         QuantisedDraft d;
         const ValueId gemm =
             d.node("Gemm", {d.told(d.input({3, 30})), d.told_weights({17, 30}), d.weights({17})},
                    {3, 17}, {{"transB", int64_t{1}}});
         return d.finish({d.told(gemm)});
       },
       "QuantizeLinear casemate:QLinearGemm DequantizeLinear"},
      {"a product of a stack, and a row",
       [] {
         QuantisedDraft d;
         const ValueId y = d.node(
             "MatMul", {d.told(d.input({2, 3, 30})), d.told_weights({30, 17}, 1)}, {2, 3, 17});
         return d.finish({d.told(d.add(y, d.weights({17})))});
       },
       "QuantizeLinear casemate:QLinearGemm DequantizeLinear"},
      {"the largest of windows, and what only moves",
       [] {
         QuantisedDraft d;
         const ValueId pool =
             d.node("MaxPool", {d.told(d.input(image))}, {1, 20, 3, 3}, QuantisedDraft::window());
         const ValueId flat = d.node("Reshape", {d.told(pool)}, {20, 9});
         return d.finish(
             {d.told(d.node("Transpose", {d.told(flat)}, {9, 20}, {{"perm", Ints{1, 0}}}))});
       },
       "QuantizeLinear MaxPool Reshape Transpose DequantizeLinear"},
      {"averages",
       [] {
         QuantisedDraft d;
         const ValueId part = d.node("AveragePool", {d.told(d.input(image))}, {1, 20, 3, 3},
                                     QuantisedDraft::window());
         const ValueId whole = d.node("GlobalAveragePool", {d.told(part)}, {1, 20, 1, 1});
         return d.finish({d.told(whole, {.scale = 0.01F, .zero = 100})});
       },
       "QuantizeLinear casemate:QLinearAveragePool casemate:QLinearGlobalAveragePool "
       "DequantizeLinear"},
      {"parts in steps of their own put together",
       [] {
         QuantisedDraft d;
         const Steps other{.scale = 0.03F, .zero = 7};
         const ValueId both =
             d.node("Concat", {d.told(d.input(image)), d.told(d.input(image), other)},
                    {1, 40, 6, 6}, {{"axis", int64_t{1}}});
         return d.finish({d.told(both, other)});
       },
       "QuantizeLinear QuantizeLinear casemate:ByteTable Concat DequantizeLinear"},
      {"functions of one element",
       [] {
         QuantisedDraft d;
         const ValueId x = d.told(d.input({5, 7}));
         return d.finish({d.told(d.same("HardSwish", d.same("Sigmoid", x)), {.scale = 0.005F})});
       },
       "QuantizeLinear casemate:ByteTable DequantizeLinear"},
      {"a product quantised by what it holds",
       [] {
         QuantisedDraft d;
         const ValueId x = d.input({2, 3, 30});
         const ValueId bytes =
             d.graph.add_node({.op = "DynamicQuantizeLinear", .name = "dynamic", .inputs = {x}},
                              {{"bytes", ElementType::kUint8, {Shape{2, 3, 30}}},
                               {"scale", ElementType::kFloat32, {Shape{}}},
                               {"zero", ElementType::kUint8, {Shape{}}}});
         const std::vector<ValueId> made = d.graph.nodes().back().outputs;
         const ValueId w = d.told_weights({30, 17});
         const ValueId integers = d.graph.nodes().back().inputs[1];
         static_cast<void>(w);
         const ValueId scales = d.node("Mul", {made[1], d.scale_of({.scale = 0.01F})}, {});
         const ValueId sums =
             d.typed("MatMulInteger", {bytes, integers, made[2]}, {2, 3, 17}, ElementType::kInt32);
         const ValueId real = d.typed("Cast", {sums}, {2, 3, 17}, ElementType::kFloat32);
         const ValueId y = d.node("Mul", {real, scales}, {2, 3, 17});
         return d.finish({d.same("Tanh", d.node("Add", {d.weights({17}), y}, {2, 3, 17}))});
       },
       "DynamicQuantizeLinear casemate:DynamicGemm+Add+Tanh"},
  };
  return all;
}

}  // namespace casemate::engine
