// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

bool zero(const Tensor* fill) {
  return fill != nullptr &&
         std::ranges::all_of(fill->bytes(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

void fold_padding(Graph& graph) {
  const Uses uses(graph);
  for (Node& convolution : graph.nodes()) {
    if (convolution.op != "Conv" || convolution.raw) continue;
    const auto maker = uses.maker(convolution.inputs[0]);
    if (!maker) continue;
    const Node& pad = graph.nodes()[*maker];
    if (pad.op != "Pad" || pad.raw || !zero(graph.constant(pad.input(1)))) continue;
    const std::vector<int64_t> outer = pad.attributes.integers("pads");
    std::vector<int64_t> inner = convolution.attributes.integers("pads");
    const size_t rank = outer.size() / 2;
    if (inner.size() != 2 * (rank - 2) || outer[0] != 0 || outer[1] != 0 || outer[rank] != 0 ||
        outer[rank + 1] != 0) {
      continue;
    }
    for (size_t i = 0; i + 2 < rank; ++i) {
      inner[i] += outer[i + 2];
      inner[i + rank - 2] += outer[i + 2 + rank];
    }
    convolution.attributes.set("pads", inner);
    convolution.inputs[0] = pad.inputs[0];
  }
}

}  // namespace casemate::engine
