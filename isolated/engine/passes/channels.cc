// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/channels.h"

#include <cmath>

#include "base/format.h"

namespace casemate::engine {

std::optional<size_t> foldable_channels(const Graph& graph, const Node& convolution) {
  if (convolution.op != "Conv" || convolution.raw || !convolution.post_ops.empty())
    return std::nullopt;
  const Tensor* weights = graph.constant(convolution.inputs[1]);
  const bool free_bias =
      convolution.input(2).present() && graph.constant(convolution.inputs[2]) == nullptr;
  if (weights == nullptr || weights->type() != ElementType::kFloat32 || free_bias)
    return std::nullopt;
  return static_cast<size_t>(weights->shape()[0]);
}

std::optional<ChannelArithmetic> normalization_arithmetic(const Graph& graph, const Node& node,
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

namespace {

struct Folded {
  Tensor weights;
  Tensor bias;
};

// The weights with each channel's multiplied by its scale.
std::string scaled(const Tensor& weights, const std::vector<double>& scale) {
  std::string bytes = weights.copied();
  const std::span values(static_cast<float*>(static_cast<void*>(bytes.data())), weights.count());
  const size_t per_channel = values.size() / scale.size();
  for (size_t c = 0; c < scale.size(); ++c) {
    for (float& weight : values.subspan(c * per_channel, per_channel))
      weight = static_cast<float>(weight * scale[c]);
  }
  return bytes;
}

Folded folded(const Tensor& before, const Tensor* old_bias, const ChannelArithmetic& arithmetic) {
  const size_t channels = arithmetic.scale.size();
  std::vector<float> bias(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double added = old_bias == nullptr ? 0 : old_bias->values<float>()[c];
    bias[c] = static_cast<float>(added * arithmetic.scale[c] + arithmetic.shift[c]);
  }
  const Shape row{static_cast<int64_t>(channels)};
  // Deferred, so that the memory of all of them is never needed at once: each is there while it is
  // packed.
  auto weights =
      Tensor::deferred(before.type(), before.shape(),
                       [before, scale = arithmetic.scale] { return scaled(before, scale); });
  CHECK(weights.has_value(), "weights of a shape that is there have a size");
  return {*std::move(weights), Tensor::of<float>(row, std::span<const float>(bias))};
}

void replace(Graph& graph, const Node& convolution, Node& reader, Folded folded) {
  const std::string name = graph.value(convolution.inputs[1]).name;
  const ValueId weights = graph.add_constant(name + "/folded", std::move(folded.weights));
  const ValueId bias = graph.add_constant(name + "/bias", std::move(folded.bias));
  reader.op = convolution.op;
  reader.raw = false;
  reader.name = convolution.name;
  reader.attributes = convolution.attributes;
  reader.inputs = {convolution.inputs[0], weights, bias};
}

}  // namespace

void fold_into(Graph& graph, const Node& convolution, Node& reader,
               const ChannelArithmetic& arithmetic, Derivations& derivations) {
  std::vector<Tensor> sources = {*graph.constant(convolution.inputs[1])};
  const Tensor* old_bias = graph.constant(convolution.input(2));
  if (old_bias != nullptr) sources.push_back(*old_bias);
  for (const ValueId id : reader.inputs) {
    if (const Tensor* constant = graph.constant(id)) sources.push_back(*constant);
  }
  const std::string how =
      formatted("{} {} {} into Conv", reader.op, reader.attributes.real("epsilon", 0),
                reader.inputs[0] == convolution.output());
  const auto* made = derivations.find(how, sources);
  if (made == nullptr) {
    Folded fresh = folded(sources.front(), old_bias, arithmetic);
    derivations.add(how, sources, {fresh.weights, fresh.bias});
    return replace(graph, convolution, reader, std::move(fresh));
  }
  replace(graph, convolution, reader, {made->front(), made->back()});
}

}  // namespace casemate::engine
