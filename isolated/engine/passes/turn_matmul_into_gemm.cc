// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

bool matrix(const Graph& graph, ValueId id) { return graph.value(id).shapes.front().rank() == 2; }

// A constant [N] or [1,N] that is added to every row of [M,N].
bool row_for(const Graph& graph, ValueId id, int64_t columns) {
  const Tensor* constant = graph.constant(id);
  if (constant == nullptr || constant->type() != ElementType::kFloat32) return false;
  const Shape& shape = constant->shape();
  return shape == Shape{columns} || shape == Shape{1, columns};
}

}  // namespace

void turn_matmul_into_gemm(Graph& graph) {
  const Uses uses(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    Node& product = graph.nodes()[i];
    if (product.op != "MatMul" || !matrix(graph, product.inputs[0]) ||
        !matrix(graph, product.inputs[1]) || graph.constant(product.inputs[1]) == nullptr ||
        graph.value(product.output()).type != ElementType::kFloat32) {
      continue;
    }
    product.op = "Gemm";
    product.raw = false;
    const auto reader = uses.only_reader(product.output());
    if (!reader || graph.nodes()[*reader].op != "Add") continue;
    Node& sum = graph.nodes()[*reader];
    const ValueId addend = sum.inputs[0] == product.output() ? sum.inputs[1] : sum.inputs[0];
    const int64_t columns = graph.value(product.output()).shapes.front()[1];
    if (!row_for(graph, addend, columns) ||
        graph.value(sum.output()).shapes != graph.value(product.output()).shapes) {
      continue;
    }
    // The sum takes the product's place at its own, where all operands exist.
    sum.op = "Gemm";
    sum.raw = false;
    sum.name = product.name;
    sum.inputs = {product.inputs[0], product.inputs[1], addend};
  }
}

}  // namespace casemate::engine
