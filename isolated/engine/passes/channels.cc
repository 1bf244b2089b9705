// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/channels.h"

namespace casemate::engine {

std::optional<size_t> foldable_channels(const Graph& graph, const Node& convolution) {
  if (convolution.op != "Conv" || !convolution.post_ops.empty()) return std::nullopt;
  const Tensor* weights = graph.constant(convolution.inputs[1]);
  const bool free_bias =
      convolution.input(2).present() && graph.constant(convolution.inputs[2]) == nullptr;
  if (weights == nullptr || weights->type() != ElementType::kFloat32 || free_bias)
    return std::nullopt;
  return static_cast<size_t>(weights->shape()[0]);
}

void fold_into(Graph& graph, const Node& convolution, Node& reader,
               const ChannelArithmetic& arithmetic) {
  Tensor weights = *graph.constant(convolution.inputs[1]);
  const size_t channels = arithmetic.scale.size();
  const auto values = weights.values<float>();
  const size_t per_channel = values.size() / channels;
  const Tensor* old_bias = graph.constant(convolution.input(2));
  std::vector<float> bias(channels);
  for (size_t c = 0; c < channels; ++c) {
    for (float& weight : values.subspan(c * per_channel, per_channel)) {
      weight = static_cast<float>(weight * arithmetic.scale[c]);
    }
    const double before = old_bias == nullptr ? 0 : old_bias->values<float>()[c];
    bias[c] = static_cast<float>(before * arithmetic.scale[c] + arithmetic.shift[c]);
  }
  reader.op = convolution.op;
  reader.name = convolution.name;
  reader.attributes = convolution.attributes;
  const ValueId input = convolution.inputs[0];
  const std::string name = graph.value(convolution.inputs[1]).name;
  const ValueId folded = graph.add_constant(name + "/folded", std::move(weights));
  const ValueId shifted = graph.add_constant(
      name + "/bias",
      Tensor::of<float>(Shape{static_cast<int64_t>(channels)}, std::span<const float>(bias)));
  reader.inputs = {input, folded, shifted};
}

}  // namespace casemate::engine
