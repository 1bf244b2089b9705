// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/work.h"

#include <algorithm>
#include <string_view>

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

// Multiply-adds of the first half of what fuse_separable_convolutions makes, for each element of
// the node's output; 0 for any other node.
uint64_t before_pixels(const Graph& graph, const Node& node, size_t variant) {
  if (node.op != "casemate:SeparableConv") return 0;
  const Shape& result = graph.value(node.output()).shapes[variant];
  const Shape& weights = graph.value(node.input(1)).shapes[variant];
  const auto outputs = static_cast<uint64_t>(std::max<int64_t>(result[1], 1));
  return weights.element_count().value_or(0) / outputs;
}

// The input that holds the weights of a product; 0 for what is none.
size_t weights_of(const Node& node) {
  static constexpr std::string_view kSecond[] = {
      "Conv", "MatMul", "Gemm", "ConvInteger", "MatMulInteger", "casemate:DynamicGemm"};
  static constexpr std::string_view kFourth[] = {"QLinearConv", "QLinearMatMul",
                                                 "casemate:QLinearGemm", "casemate:SeparableConv"};
  if (std::ranges::contains(kSecond, node.op)) return 1;
  return std::ranges::contains(kFourth, node.op) ? 3 : 0;
}
bool multiplies(const Node& node) { return weights_of(node) != 0; }

// Operations for each element of the node's first output.
uint64_t depth_of(const Graph& graph, const Node& node, size_t variant) {
  if (node.op == "casemate:SeparableConv") {
    const Shape& pixels = graph.value(node.input(3)).shapes[variant];
    return saturating_add(static_cast<uint64_t>(pixels[1]), before_pixels(graph, node, variant));
  }
  if (!multiplies(node)) return 1;
  const ValueId weights_id = node.input(weights_of(node));
  if (node.op.contains("Conv")) {
    if (!weights_id.present()) return 1;
    const Shape& weights = graph.value(weights_id).shapes[variant];
    const uint64_t count = weights.element_count().value_or(0);
    return weights.rank() > 0 && weights[0] > 0 ? count / static_cast<uint64_t>(weights[0]) : 1;
  }
  const Shape& rows = graph.value(node.input(0)).shapes[variant];
  if (rows.rank() == 0) return 1;
  const bool transposed = node.op == "Gemm" && node.attributes.integer("transA", 0) != 0;
  return static_cast<uint64_t>(transposed ? rows[0] : rows[rows.rank() - 1]);
}

// Multiply-adds of what fuse_attention makes, 0 for any other node; its attribute "sizes" lists
// items, heads, queries, keys, past keys, width and value width (kernels/attention.h).
uint64_t attention_products(const Node& node) {
  const std::vector<int64_t> sizes = node.attributes.integers("sizes");
  if (node.op != "casemate:Attention" || sizes.size() != 7) return 0;
  const auto size = [&](size_t i) { return static_cast<uint64_t>(std::max<int64_t>(sizes[i], 0)); };
  uint64_t scores = saturating_multiply(saturating_multiply(size(0), size(1)), size(2));
  scores = saturating_multiply(scores, saturating_add(size(3), size(4)));
  return saturating_multiply(scores, saturating_add(size(5), size(6)));
}

}  // namespace

uint64_t operation_count(const Graph& graph, const Node& node, size_t variant) {
  // A node may leave its first output out, as recurrent ones do.
  const auto first = std::ranges::find_if(node.outputs, &ValueId::present);
  if (first == node.outputs.end()) return 0;
  const uint64_t made = graph.value(*first).shapes[variant].element_count().value_or(UINT64_MAX);
  return saturating_multiply(made, depth_of(graph, node, variant));
}

Work work_of(const Graph& graph, const Node& node, size_t variant) {
  Work work{.flops = saturating_multiply(operation_count(graph, node, variant),
                                         multiplies(node) ? 2 : 1)};
  const uint64_t products = attention_products(node);
  if (products > 0) work.flops = saturating_multiply(products, 2);
  const auto bytes_of = [&](ValueId id) {
    if (!id.present()) return uint64_t{0};
    const Value& value = graph.value(id);
    return tensor_bytes(value.type, value.shapes[variant]).value_or(UINT64_MAX);
  };
  for (const ValueId id : node.outputs) work.bytes = saturating_add(work.bytes, bytes_of(id));
  const uint64_t written = work.bytes;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    // A row of a table is read where its index is met, the table as a whole never.
    const bool table = i == 0 && node.op.starts_with("Gather");
    const uint64_t bytes = bytes_of(node.inputs[i]);
    work.bytes = saturating_add(work.bytes, table ? std::min(bytes, written) : bytes);
  }
  return work;
}

uint64_t operation_count(const Graph& graph, size_t variant) {
  uint64_t total = 0;
  for (const Node& node : graph.nodes())
    total = saturating_add(total, operation_count(graph, node, variant));
  return total;
}

}  // namespace casemate::engine
