// SPDX-License-Identifier: Apache-2.0
// y = gamma (conv(x) - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy 2015) is the
// convolution with other weights and another bias.
#include "isolated/engine/passes/channels.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
void fold_batch_normalization(Graph& graph, Derivations& derivations) {
  const Uses uses(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    Node& node = graph.nodes()[i];
    if (node.op != "BatchNormalization" || node.raw) continue;
    const auto maker = uses.maker(node.inputs[0]);
    if (!maker || uses.only_reader(node.inputs[0]) != i) continue;
    const Node convolution = graph.nodes()[*maker];
    const auto channels = foldable_channels(graph, convolution);
    if (!channels) continue;
    const auto arithmetic = normalization_arithmetic(graph, node, *channels);
    if (arithmetic) fold_into(graph, convolution, node, *arithmetic, derivations);
  }
}

}  // namespace casemate::engine
