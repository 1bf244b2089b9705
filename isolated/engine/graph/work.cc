// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/work.h"

namespace casemate::engine {
namespace {

uint64_t saturating_add(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t saturating_multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

// Operations for each element of the node's first output.
uint64_t depth_of(const Graph& graph, const Node& node, size_t variant) {
  const bool convolution = node.op == "Conv";
  if (!convolution && node.op != "MatMul" && node.op != "Gemm") return 1;
  const Shape& weights = graph.value(node.input(1)).shapes[variant];
  if (convolution) {
    const uint64_t count = weights.element_count().value_or(0);
    return weights.rank() > 0 && weights[0] > 0 ? count / static_cast<uint64_t>(weights[0]) : 1;
  }
  const Shape& rows = graph.value(node.input(0)).shapes[variant];
  if (rows.rank() == 0) return 1;
  const bool transposed = node.op == "Gemm" && node.attributes.integer("transA", 0) != 0;
  return static_cast<uint64_t>(transposed ? rows[0] : rows[rows.rank() - 1]);
}

}  // namespace

uint64_t operation_count(const Graph& graph, const Node& node, size_t variant) {
  const uint64_t made =
      graph.value(node.output()).shapes[variant].element_count().value_or(UINT64_MAX);
  return saturating_multiply(made, depth_of(graph, node, variant));
}

uint64_t operation_count(const Graph& graph, size_t variant) {
  uint64_t total = 0;
  for (const Node& node : graph.nodes())
    total = saturating_add(total, operation_count(graph, node, variant));
  return total;
}

}  // namespace casemate::engine
