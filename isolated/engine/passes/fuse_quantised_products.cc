// SPDX-License-Identifier: Apache-2.0
// Conv, Gemm or MatMul of values that were dequantised, by weights that were, to a value that is
// quantised again: one product of integers, an activation in between as its limits.
#include <algorithm>

#include "isolated/engine/graph/activation.h"
#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/quantised.h"

namespace casemate::engine {
namespace {

// What lies between the product and the quantisation.
struct Tail {
  ValueId real;  // what the product makes
  std::vector<PostOp> activations;
};

Tail tail_of(const Graph& graph, const Quantised& view, ValueId real) {
  Tail tail{.real = real, .activations = {}};
  for (;;) {
    const Node* const node = view.only_maker(tail.real);
    if (node == nullptr || (node->op != "Relu" && node->op != "Clip")) return tail;
    const auto activation = as_post_op(graph, *node);
    if (!activation || (node->op == "Clip" && !(activation->alpha <= activation->beta)))
      return tail;
    tail.activations.insert(tail.activations.begin(), *activation);
    tail.real = node->inputs[0];
  }
}

// The parts of a product: real operands, and a bias for each column.
struct Product {
  const Node* node = nullptr;
  ValueId a, b, bias;
  int64_t axis = 0;  // of the columns in b
  int64_t columns = 0;
};

std::optional<Product> convolution(const Graph& graph, const Node& node) {
  const Tensor* const weights = graph.constant(node.input(1));
  if (node.op != "Conv" || node.raw || !node.post_ops.empty() || weights == nullptr ||
      (weights->shape().rank() != 3 && weights->shape().rank() != 4))
    return std::nullopt;
  return Product{&node, node.inputs[0], node.inputs[1], node.input(2), 0, weights->shape()[0]};
}

// A matrix product and, behind a MatMul, a row that is added.
std::optional<Product> matrix_product(const Graph& graph, const Quantised& view, const Node& node) {
  const bool gemm = node.op == "Gemm" && !node.raw && node.attributes.integer("transA", 0) == 0;
  if (node.op == "Add" && node.post_ops.empty()) {
    for (const size_t row : {1, 0}) {
      const Node* const inner = view.only_maker(node.inputs[1 - row]);
      if (inner == nullptr || inner->op != "MatMul" || graph.constant(node.inputs[row]) == nullptr)
        continue;
      auto product = matrix_product(graph, view, *inner);
      const Shape& shape = graph.constant(node.inputs[row])->shape();
      if (!product || shape.rank() == 0 || shape[shape.rank() - 1] != product->columns ||
          graph.value(node.output()).shapes != graph.value(inner->output()).shapes)
        continue;
      product->bias = node.inputs[row];
      return product;
    }
  }
  if ((!gemm && node.op != "MatMul") || !node.post_ops.empty()) return std::nullopt;
  const Tensor* const weights = graph.constant(node.input(1));
  if (weights == nullptr || weights->shape().rank() != 2) return std::nullopt;
  const int64_t axis = gemm && node.attributes.integer("transB", 0) != 0 ? 0 : 1;
  return Product{&node,          node.inputs[0],
                 node.inputs[1], gemm ? node.input(2) : ValueId{},
                 axis,           weights->shape()[static_cast<uint32_t>(axis)]};
}

std::optional<Product> product_of(const Graph& graph, const Quantised& view, ValueId real) {
  const Node* const node = view.only_maker(real);
  if (node == nullptr || graph.value(real).type != ElementType::kFloat32) return std::nullopt;
  if (auto found = convolution(graph, *node)) return found;
  return matrix_product(graph, view, *node);
}

// Puts the product of integers in the place of the QuantizeLinear.
void fuse(Graph& graph, Quantised& view, size_t index) {
  const auto to = view.target(graph.nodes()[index]);
  if (!to) return;
  const Tail tail = tail_of(graph, view, graph.nodes()[index].inputs[0]);
  const auto product = product_of(graph, view, tail.real);
  if (!product) return;
  const auto from = view.source(product->a);
  const auto weights = view.weights(product->b, product->axis, product->columns);
  if (!from || !weights) return;
  Node made{.op = product->node->op == "Conv" ? "QLinearConv" : "casemate:QLinearGemm",
            .name = product->node->name,
            .outputs = graph.nodes()[index].outputs,
            .attributes = product->node->attributes,
            .post_ops = tail.activations};
  ValueId bias;
  if (product->bias.present()) {
    bias =
        view.bias(product->bias, from->scale_value, weights->scales, product->columns, made.name);
    if (!bias.present()) return;
  }
  ValueId weight_zero = weights->zero;
  if (!weight_zero.present()) {
    const ElementType type = graph.value(weights->integers).type;
    weight_zero = view.zero_of({.type = type}, made.name + "/weights");
  }
  made.inputs = {
      from->bytes, from->scale, view.zero_of(*from, made.name), weights->integers, weights->scale,
      weight_zero, to->scale,   view.zero_of(*to, made.name)};
  if (bias.present()) made.inputs.push_back(bias);
  graph.nodes()[index] = std::move(made);
}

}  // namespace

void fuse_quantised_products(Graph& graph) {
  Quantised view(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) fuse(graph, view, i);
}

}  // namespace casemate::engine
