// SPDX-License-Identifier: Apache-2.0
// A stack of matrices that was flattened for a Gemm and brought back into its shape behind it is
// what MatMul takes as it is. Without the two Reshapes, activations and sums behind them are next
// to the product that can do them.
#include <algorithm>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

// [..., N] that is the result [M, N] of a Gemm in another shape, for every variant.
bool stacks_rows(const Graph& graph, ValueId rows, ValueId stack) {
  const auto& before = graph.value(rows).shapes;
  const auto& after = graph.value(stack).shapes;
  for (size_t variant = 0; variant < before.size(); ++variant) {
    const Shape& shape = after[variant];
    if (shape.rank() < 3 || shape[shape.rank() - 1] != before[variant][1]) return false;
  }
  return true;
}

bool plain(const Graph& graph, const Node& gemm) {
  const Tensor* weights = graph.constant(gemm.input(1));
  return gemm.op == "Gemm" && !gemm.raw && gemm.post_ops.empty() && weights != nullptr &&
         weights->type() == ElementType::kFloat32 && weights->shape().rank() == 2 &&
         weights->count() > 0 && gemm.attributes.integer("transA", 0) == 0 &&
         gemm.attributes.integer("transB", 0) == 0;
}

// No addend, or one constant row: what MatMul can add while it works.
bool row_or_none(const Graph& graph, const Node& gemm) {
  if (!gemm.input(2).present()) return true;
  const Tensor* row = graph.constant(gemm.input(2));
  const int64_t columns = graph.constant(gemm.input(1))->shape()[1];
  return row != nullptr && (row->shape() == Shape{columns} || row->shape() == Shape{1, columns});
}

}  // namespace

void unflatten_products(Graph& graph) {
  const Uses uses(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    Node& gemm = graph.nodes()[i];
    if (!plain(graph, gemm) || !row_or_none(graph, gemm)) continue;
    const auto after = uses.only_reader(gemm.output());
    if (!after) continue;
    Node& product = graph.nodes()[*after];
    if (product.op != "Reshape" || !stacks_rows(graph, gemm.output(), product.output())) continue;
    const Node was = gemm;
    // The Gemm brings its rows into the stack's shape, which costs nothing; the product is behind.
    gemm = {.op = "Reshape",
            .name = was.name + "/stack",
            .inputs = {was.inputs[0]},
            .outputs = was.outputs};
    auto& shapes = graph.value(was.output()).shapes;
    shapes = graph.value(product.output()).shapes;
    for (Shape& shape : shapes) shape[shape.rank() - 1] = graph.constant(was.inputs[1])->shape()[0];
    product.op = "MatMul";
    product.name = was.name;
    product.attributes = {};
    product.raw = false;
    product.inputs = {was.output(), was.inputs[1]};
    if (!was.input(2).present()) continue;
    product.inputs.push_back(was.inputs[2]);
    product.post_ops = {{.op = "Add", .operand = 2}};
  }
}

}  // namespace casemate::engine
