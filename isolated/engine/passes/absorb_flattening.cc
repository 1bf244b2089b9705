// SPDX-License-Identifier: Apache-2.0
// Flatten and Gemm after a convolution would bring the image into row-major order for every
// request. A Gemm that reads the image in whatever layout it has brings its weights into that
// layout, once.
#include <algorithm>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

// [N,C,spatial...] to [N,C*spatial], for every variant.
bool flattens_image(const Graph& graph, const Node& node) {
  const auto& from = graph.value(node.inputs[0]).shapes;
  const auto& to = graph.value(node.output()).shapes;
  for (size_t variant = 0; variant < from.size(); ++variant) {
    if (from[variant].rank() < 3 || from[variant].rank() > 5 || to[variant].rank() != 2 ||
        from[variant][0] != to[variant][0]) {
      return false;
    }
    // One channel is no image, and would be padded to a whole block: the weights with it.
    if (from[variant][1] == 1) return false;
    // One pixel: every layout is row-major, and there is nothing to gain.
    const auto spatial = from[variant].dims().subspan(2);
    if (std::ranges::all_of(spatial, [](int64_t extent) { return extent == 1; })) return false;
  }
  return true;
}

// What may come in another layout than row-major: the result of a convolution, of pooling, or of
// what works on these element by element. Text does not, and its Gemm stays a plain product.
bool from_image(const Graph& graph, const Uses& uses, ValueId id) {
  for (;;) {
    const auto maker = uses.maker(id);
    if (!maker) return false;
    const Node& node = graph.nodes()[*maker];
    if (node.op == "Conv" || node.op.ends_with("Pool")) return true;
    if (node.inputs.empty() || !node.inputs[0].present()) return false;
    if (node.op != "Concat" && graph.value(node.inputs[0]).shapes != graph.value(id).shapes)
      return false;
    id = node.inputs[0];
  }
}

}  // namespace

void absorb_flattening(Graph& graph) {
  const Uses uses(graph);
  for (Node& gemm : graph.nodes()) {
    if (gemm.op != "Gemm" || gemm.raw || gemm.attributes.integer("transA", 0) != 0 ||
        graph.constant(gemm.inputs[1]) == nullptr) {
      continue;
    }
    const auto maker = uses.maker(gemm.inputs[0]);
    if (!maker) continue;
    const Node& reshape = graph.nodes()[*maker];
    if (reshape.op == "Reshape" && from_image(graph, uses, reshape.inputs[0]) &&
        flattens_image(graph, reshape)) {
      gemm.inputs[0] = reshape.inputs[0];
    }
  }
}

}  // namespace casemate::engine
