// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: tiny graphs, one for each thing that a pass looks for. The passes' tests look at what
// becomes of them, the engine's test that they still compute the same.

#include <functional>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

using Ints = std::vector<int64_t>;

// A graph in the making with less to write.
struct Draft {
  Graph graph;

  ValueId input(const Shape& shape) {
    return graph.add_input({name("x"), ElementType::kFloat32, {shape}});
  }
  ValueId weights(const Shape& shape, float scale = 0.1F) {
    Tensor tensor = *Tensor::zeros(ElementType::kFloat32, shape);
    for (float& value : tensor.values<float>())
      value = scale * (static_cast<float>(next_++ * 7 % 11) - 4.5F);
    return graph.add_constant(name("w"), std::move(tensor));
  }
  ValueId positive(const Shape& shape) {
    Tensor tensor = *Tensor::zeros(ElementType::kFloat32, shape);
    for (float& value : tensor.values<float>())
      value = 0.5F + static_cast<float>(next_++ * 5 % 7) / 4;
    return graph.add_constant(name("p"), std::move(tensor));
  }
  ValueId node(const std::string& op, const std::vector<ValueId>& inputs, const Shape& shape,
               Attributes attributes = {}) {
    return graph.add_node(
        {.op = op, .name = name(op), .inputs = inputs, .attributes = std::move(attributes)},
        {{name("v"), ElementType::kFloat32, {shape}}});
  }
  // 3x3, padded to keep the size.
  ValueId convolution(ValueId x, int64_t channels, bool bias = false) {
    const Shape from = graph.value(x).shapes[0];
    std::vector<ValueId> inputs = {x, weights({channels, from[1], 3, 3})};
    if (bias) inputs.push_back(weights({channels}));
    Shape to = from;
    to[1] = channels;
    return node("Conv", inputs, to,
                {{"kernel_shape", Ints{3, 3}},
                 {"pads", Ints{1, 1, 1, 1}},
                 {"strides", Ints{1, 1}},
                 {"dilations", Ints{1, 1}}});
  }
  // A filter of 3x3 for each channel, padded to keep the size.
  ValueId depthwise(ValueId x) {
    const Shape shape = graph.value(x).shapes[0];
    return node("Conv", {x, weights({shape[1], 1, 3, 3}), weights({shape[1]})}, shape,
                {{"kernel_shape", Ints{3, 3}},
                 {"pads", Ints{1, 1, 1, 1}},
                 {"strides", Ints{1, 1}},
                 {"dilations", Ints{1, 1}},
                 {"group", shape[1]}});
  }
  // Of single pixels.
  ValueId pointwise(ValueId x, int64_t channels) {
    Shape to = graph.value(x).shapes[0];
    const ValueId w = weights({channels, to[1], 1, 1});
    to[1] = channels;
    return node("Conv", {x, w, weights({channels})}, to,
                {{"kernel_shape", Ints{1, 1}},
                 {"pads", Ints{0, 0, 0, 0}},
                 {"strides", Ints{1, 1}},
                 {"dilations", Ints{1, 1}}});
  }
  // All of them, channel behind channel.
  ValueId concat(const std::vector<ValueId>& parts) {
    Shape to = graph.value(parts[0]).shapes[0];
    to[1] = 0;
    for (const ValueId id : parts) to[1] += graph.value(id).shapes[0][1];
    return node("Concat", parts, to, {{"axis", int64_t{1}}});
  }
  ValueId normalization(ValueId x, ValueId variance = {}) {
    const Shape shape = graph.value(x).shapes[0];
    const Shape channels{shape[1]};
    if (!variance.present()) variance = positive(channels);
    return node("BatchNormalization",
                {x, weights(channels), weights(channels), weights(channels), variance}, shape,
                {{"epsilon", 1e-5F}});
  }
  ValueId same(const std::string& op, ValueId x) { return node(op, {x}, graph.value(x).shapes[0]); }
  ValueId add(ValueId a, ValueId b) { return node("Add", {a, b}, graph.value(a).shapes[0]); }

  Graph finish(const std::vector<ValueId>& outputs) {
    for (const ValueId id : outputs) graph.add_output(id);
    return std::move(graph);
  }

 private:
  std::string name(const std::string& kind) { return kind + std::to_string(count_++); }
  int count_ = 0;
  int next_ = 1;
};

struct PassGraph {
  const char* what;
  std::function<Graph()> make;
  const char* after;  // operators and post-operations left when all passes have run
};

// "Conv+Relu MaxPool"
inline std::string operators_of(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    if (!text.empty()) text += ' ';
    text += node.op;
    for (const PostOp& post : node.post_ops) text += "+" + post.op;
  }
  return text;
}

// What is fused across two convolutions, and what is joined.
inline const std::vector<PassGraph>& pair_graphs() {
  static const Shape image{1, 4, 6, 6};
  static const std::vector<PassGraph> all = {
      {"a separable convolution",
       [] {
         Draft d;
         const ValueId first = d.same("Relu", d.depthwise(d.input(image)));
         return d.finish({d.same("Tanh", d.pointwise(first, 7))});
       },
       "casemate:SeparableConv+Tanh"},
      {"a separable convolution with a residual",
       [] {
         Draft d;
         const ValueId x = d.same("Abs", d.input(image));
         return d.finish({d.same("Relu", d.add(d.pointwise(d.depthwise(x), 4), x))});
       },
       "Abs casemate:SeparableConv+Add+Relu"},
      {"a depth-wise convolution that is read twice",
       [] {
         Draft d;
         const ValueId first = d.depthwise(d.input(image));
         return d.finish({d.pointwise(first, 5), d.same("Abs", first)});
       },
       "Conv Conv Abs"},
      {"a depth-wise convolution with an activation that our loops lack",
       [] {
         Draft d;
         return d.finish({d.pointwise(d.same("Sigmoid", d.depthwise(d.input(image))), 5)});
       },
       "Conv+Sigmoid Conv"},
      {"a wide convolution behind a depth-wise one",
       [] {
         Draft d;
         return d.finish({d.convolution(d.depthwise(d.input(image)), 5)});
       },
       "Conv Conv"},
      {"a normalization and an activation before a convolution",
       [] {
         Draft d;
         return d.finish({d.pointwise(d.same("Relu", d.normalization(d.input(image))), 5)});
       },
       "casemate:SeparableConv"},
      {"a densely connected block",
       [] {
         Draft d;
         std::vector<ValueId> parts = {d.same("Relu", d.convolution(d.input(image), 8))};
         for (int i = 0; i < 3; ++i) {
           const ValueId had = i == 0 ? parts[0] : d.concat(parts);
           const ValueId bottleneck = d.pointwise(d.same("Relu", d.normalization(had)), 6);
           parts.push_back(d.convolution(bottleneck, 5));
         }
         return d.finish({d.same("Relu", d.normalization(d.concat(parts)))});
       },
       "Conv+Relu casemate:SeparableConv Conv Concat casemate:SeparableConv Conv Concat "
       "casemate:SeparableConv Conv Concat Conv+Relu"},
      {"branches that are joined, one of them not computed by a convolution",
       [] {
         Draft d;
         const ValueId x = d.same("Abs", d.input(image));
         const ValueId a = d.same("Relu", d.pointwise(x, 7));
         const ValueId b = d.same("Relu", d.convolution(x, 16));
         const ValueId joined = d.concat({a, d.same("Neg", x), b});
         return d.finish({d.same("Relu", d.pointwise(joined, 3)), d.same("Abs", joined)});
       },
       "Abs Conv+Relu Conv+Relu Neg Concat Conv+Relu Abs"},
      {"one image twice",
       [] {
         Draft d;
         const ValueId a = d.pointwise(d.input(image), 7);
         return d.finish({d.same("Abs", d.concat({a, a, d.pointwise(a, 2)}))});
       },
       "Conv Conv Concat Abs"},
      {"what is joined is read by others and by the caller",
       [] {
         Draft d;
         const ValueId a = d.pointwise(d.input(image), 7);
         const ValueId b = d.pointwise(a, 16);
         const ValueId inner = d.concat({a, b});
         return d.finish({d.concat({d.convolution(b, 3), inner}), d.same("Neg", inner), b});
       },
       "Conv Conv Concat Conv Concat Neg"},
  };
  return all;
}

inline const std::vector<PassGraph>& image_graphs() {
  static const Shape image{1, 4, 6, 6};
  static const std::vector<PassGraph> all = {
      {"identities between others",
       [] {
         Draft d;
         return d.finish(
             {d.same("Neg", d.same("Identity", d.same("Identity", d.same("Abs", d.input({4})))))});
       },
       "Abs Neg"},
      {"an identity from input to output",
       [] {
         Draft d;
         return d.finish({d.same("Identity", d.input({4}))});
       },
       ""},
      {"a chain of reshapes",
       [] {
         Draft d;
         ValueId x = d.same("Abs", d.input({4, 6}));
         for (const Shape& shape : {Shape{24}, Shape{2, 12}, Shape{3, 8}})
           x = d.node("Reshape", {x}, shape);
         return d.finish({d.same("Neg", x)});
       },
       "Abs Reshape Neg"},
      {"a transposition of nothing but ones",
       [] {
         Draft d;
         return d.finish({d.same("Neg", d.node("Transpose", {d.same("Abs", d.input({1, 5, 1}))},
                                               {5, 1, 1}, {{"perm", Ints{1, 0, 2}}}))});
       },
       "Abs Reshape Neg"},
      {"a transposition that moves something",
       [] {
         Draft d;
         return d.finish({d.node("Transpose", {d.input({2, 5})}, {5, 2}, {{"perm", Ints{1, 0}}})});
       },
       "Transpose"},
      {"a product with a row added",
       [] {
         Draft d;
         return d.finish(
             {d.same("Relu", d.add(d.node("MatMul", {d.input({3, 8}), d.weights({8, 5})}, {3, 5}),
                                   d.weights({5})))});
       },
       "Gemm+Relu"},
      {"a product with a row added from the left",
       [] {
         Draft d;
         const ValueId p = d.node("MatMul", {d.input({3, 8}), d.weights({8, 5})}, {3, 5});
         return d.finish({d.node("Add", {d.weights({1, 5}), p}, {3, 5})});
       },
       "Gemm"},
      {"a stack of products with a row added",
       [] {
         Draft d;
         return d.finish({d.same(
             "Tanh", d.add(d.node("MatMul", {d.input({2, 3, 8}), d.weights({8, 5})}, {2, 3, 5}),
                           d.weights({5})))});
       },
       "MatMul+Add+Tanh"},
      {"a convolution normalized",
       [] {
         Draft d;
         return d.finish({d.normalization(d.convolution(d.input(image), 8))});
       },
       "Conv"},
      {"a convolution with bias normalized twice",
       [] {
         Draft d;
         return d.finish({d.same(
             "Relu", d.normalization(d.normalization(d.convolution(d.input(image), 8, true))))});
       },
       "Conv+Relu"},
      {"a convolution that is read before it is normalized",
       [] {
         Draft d;
         const ValueId c = d.convolution(d.input(image), 8);
         return d.finish({d.normalization(c), d.same("Abs", c)});
       },
       "Conv Conv Abs"},
      {"a normalization of an input",
       [] {
         Draft d;
         return d.finish({d.same("Relu", d.normalization(d.input(image)))});
       },
       "Conv+Relu"},
      {"arithmetic per channel",
       [] {
         Draft d;
         ValueId x = d.convolution(d.input(image), 4);
         for (const char* op : {"Add", "Mul", "Sub", "Div"})
           x = d.node(op, {x, d.positive({4, 1, 1})}, image);
         return d.finish({d.node("Sub", {d.positive({}), x}, image)});
       },
       "Conv"},
      {"arithmetic per column stays",
       [] {
         Draft d;
         return d.finish(
             {d.node("Mul", {d.convolution(d.input(image), 4), d.positive({6})}, image)});
       },
       "Conv Mul"},
      {"zeros around a convolution",
       [] {
         Draft d;
         const ValueId zero = d.graph.add_constant("zero", Tensor::of<float>({}, {0.0F}));
         const ValueId padded = d.node("Pad", {d.same("Abs", d.input(image)), zero}, {1, 4, 7, 9},
                                       {{"pads", Ints{0, 0, 1, 2, 0, 0, 0, 1}}});
         return d.finish({d.convolution(padded, 3)});
       },
       "Abs Conv"},
      {"something else around a convolution",
       [] {
         Draft d;
         const ValueId padded = d.node("Pad", {d.input(image), d.positive({})}, {1, 4, 7, 9},
                                       {{"pads", Ints{0, 0, 1, 2, 0, 0, 0, 1}}});
         return d.finish({d.convolution(padded, 3)});
       },
       "Pad Conv"},
      {"a flattened image",
       [] {
         Draft d;
         const ValueId flat = d.node("Reshape", {d.convolution(d.input(image), 8)}, {1, 288});
         return d.finish({d.node("Gemm", {flat, d.weights({10, 288}, 0.02F), d.weights({10})},
                                 {1, 10}, {{"transB", int64_t{1}}})});
       },
       "Conv Gemm"},
      {"a flattened image that is read twice",
       [] {
         Draft d;
         const ValueId flat = d.node("Reshape", {d.convolution(d.input(image), 8)}, {1, 288});
         return d.finish(
             {d.node("Gemm", {flat, d.weights({288, 10}, 0.02F)}, {1, 10}), d.same("Neg", flat)});
       },
       "Conv Reshape Gemm Neg"},
      {"a residual",
       [] {
         Draft d;
         const ValueId x = d.same("Relu", d.convolution(d.input(image), 4));
         return d.finish({d.same("Relu", d.add(d.convolution(x, 4), x))});
       },
       "Conv+Relu Conv+Add+Relu"},
      {"a residual from the left, of a convolution with bias",
       [] {
         Draft d;
         const ValueId x = d.same("Abs", d.input(image));
         const ValueId c = d.convolution(x, 4, true);
         return d.finish({d.add(x, c)});
       },
       "Abs Conv+Add"},
      {"two convolutions added",
       [] {
         Draft d;
         const ValueId x = d.input(image);
         const ValueId a = d.convolution(x, 4);
         return d.finish({d.same("Relu", d.add(a, d.convolution(x, 4)))});
       },
       "Conv Conv+Add+Relu"},
      {"an activation before the sum",
       [] {
         Draft d;
         const ValueId x = d.same("Abs", d.input(image));
         return d.finish({d.add(d.same("Sigmoid", d.convolution(x, 4)), x)});
       },
       "Abs Conv+Sigmoid+Add"},
      {"two sums one after the other",
       [] {
         Draft d;
         const ValueId x = d.same("Abs", d.input(image));
         const ValueId sum = d.add(d.convolution(x, 4), x);
         return d.finish({d.add(sum, d.same("Neg", x))});
       },
       "Abs Conv+Add Neg Add"},
      {"a value added to itself",
       [] {
         Draft d;
         const ValueId c = d.convolution(d.input(image), 4);
         return d.finish({d.add(c, c)});
       },
       "Conv Add"},
      {"a sum of two inputs with an activation",
       [] {
         Draft d;
         return d.finish({d.same("Relu", d.add(d.input(image), d.input(image)))});
       },
       "Add+Relu"},
      {"an activation that is an output stays apart from the next",
       [] {
         Draft d;
         const ValueId r = d.same("Relu", d.convolution(d.input(image), 4));
         return d.finish({r, d.same("Neg", r)});
       },
       "Conv+Relu Neg"},
      {"two activations",
       [] {
         Draft d;
         return d.finish({d.node("Clip", {d.same("Tanh", d.convolution(d.input(image), 4))}, image,
                                 {{"min", -0.5F}, {"max", 0.25F}})});
       },
       "Conv+Tanh+Clip"},
      {"a product with a residual",
       [] {
         Draft d;
         const ValueId x = d.same("Abs", d.input({3, 8}));
         return d.finish(
             {d.add(d.node("Gemm", {x, d.weights({8, 8}), d.weights({8})}, {3, 8}), x)});
       },
       "Abs Gemm+Add"},
  };
  return all;
}

}  // namespace casemate::engine
