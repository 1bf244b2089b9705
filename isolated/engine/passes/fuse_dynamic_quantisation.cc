// SPDX-License-Identifier: Apache-2.0
// A product of integers that is made real again, by a Cast and a product with the scales of both
// sides, becomes one node that does so before it stores anything. What follows it is fused behind
// it like behind any product.
#include <algorithm>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

bool one_number(const Graph& graph, ValueId id) {
  return std::ranges::all_of(graph.value(id).shapes, [](const Shape& shape) {
    return shape.element_count().value_or(0) == 1 && shape.rank() <= 1;
  });
}

// MatMulInteger by a constant matrix, its left side with one zero point that is computed.
bool product(const Graph& graph, const Node& node) {
  const Tensor* const b = node.op == "MatMulInteger" ? graph.constant(node.input(1)) : nullptr;
  return b != nullptr && b->shape().rank() == 2 && graph.constant(node.inputs[0]) == nullptr &&
         graph.value(node.inputs[0]).shapes.front().rank() >= 1 && node.input(2).present() &&
         graph.constant(node.inputs[2]) == nullptr && one_number(graph, node.inputs[2]) &&
         (!node.input(3).present() || graph.constant(node.inputs[3]) != nullptr);
}

struct Scales {
  ValueId a, b;
};

// A computed number times constant ones, for all columns or for each.
std::optional<Scales> scales_of(const Graph& graph, const Uses& uses, ValueId id, int64_t columns) {
  const auto maker = uses.maker(id);
  if (!maker || graph.nodes()[*maker].op != "Mul") return std::nullopt;
  const Node& node = graph.nodes()[*maker];
  for (const size_t side : {0, 1}) {
    const Tensor* const b = graph.constant(node.inputs[side]);
    const ValueId a = node.inputs[1 - side];
    if (b == nullptr || b->type() != ElementType::kFloat32 || graph.constant(a) != nullptr ||
        !one_number(graph, a) || graph.value(a).type != ElementType::kFloat32)
      continue;
    if (b->count() == 1 || b->shape() == Shape{columns}) return Scales{a, node.inputs[side]};
  }
  return std::nullopt;
}

// Puts the one node in the place of the product with the scales.
void fuse(Graph& graph, const Uses& uses, size_t index) {
  const Node& last = graph.nodes()[index];
  if (last.op != "Mul" || graph.value(last.output()).type != ElementType::kFloat32) return;
  for (const size_t side : {0, 1}) {
    const auto cast = uses.maker(last.inputs[side]);
    if (!cast || graph.nodes()[*cast].op != "Cast" || !uses.only_reader(last.inputs[side]))
      continue;
    const ValueId whole = graph.nodes()[*cast].inputs[0];
    const auto maker = uses.maker(whole);
    if (!maker || !uses.only_reader(whole) || !product(graph, graph.nodes()[*maker])) continue;
    const Node& inner = graph.nodes()[*maker];
    const int64_t columns = graph.constant(inner.inputs[1])->shape()[1];
    const auto scales = scales_of(graph, uses, last.inputs[1 - side], columns);
    if (!scales || graph.value(last.output()).shapes != graph.value(whole).shapes) continue;
    Node made{.op = "casemate:DynamicGemm",
              .name = inner.name,
              .inputs = {inner.inputs[0], inner.inputs[1], scales->a, inner.inputs[2], scales->b,
                         inner.input(3)},
              .outputs = last.outputs};
    graph.nodes()[index] = std::move(made);
    return;
  }
}

}  // namespace

void fuse_dynamic_quantisation(Graph& graph) {
  const Uses uses(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) fuse(graph, uses, i);
}

}  // namespace casemate::engine
