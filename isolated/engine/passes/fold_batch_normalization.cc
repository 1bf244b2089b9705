// SPDX-License-Identifier: Apache-2.0
// y = gamma (conv(x) - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy 2015) is the
// convolution with other weights and another bias.
#include <cmath>

#include "isolated/engine/passes/channels.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

std::optional<ChannelArithmetic> arithmetic_of(const Graph& graph, const Node& node,
                                               size_t channels) {
  const Tensor* constants[4];
  for (size_t i = 0; i < 4; ++i) {
    constants[i] = graph.constant(node.input(i + 1));
    if (constants[i] == nullptr || constants[i]->type() != ElementType::kFloat32 ||
        constants[i]->count() != channels) {
      return std::nullopt;
    }
  }
  const double epsilon = node.attributes.real("epsilon", 1e-5F);
  ChannelArithmetic result;
  for (size_t c = 0; c < channels; ++c) {
    const auto value = [&](size_t i) {
      return static_cast<double>(constants[i]->values<float>()[c]);
    };
    const double scale = value(0) / std::sqrt(value(3) + epsilon);
    // A variance that makes no sense stays in the graph, where it does what the model says.
    if (!std::isfinite(scale)) return std::nullopt;
    result.scale.push_back(scale);
    result.shift.push_back(value(1) - value(2) * scale);
  }
  return result;
}

}  // namespace

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
    const auto arithmetic = arithmetic_of(graph, node, *channels);
    if (arithmetic) fold_into(graph, convolution, node, *arithmetic, derivations);
  }
}

}  // namespace casemate::engine
