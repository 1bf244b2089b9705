// SPDX-License-Identifier: Apache-2.0
#include "base/format.h"
#include "isolated/engine/passes/channels.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

// Weights [C,1,1,1] and bias [C].
std::vector<Tensor> weights_of(const ChannelArithmetic& arithmetic) {
  const auto row = [](const std::vector<double>& values, const Shape& shape) {
    const std::vector<float> narrow(values.begin(), values.end());
    return Tensor::of<float>(shape, std::span<const float>(narrow));
  };
  const auto channels = static_cast<int64_t>(arithmetic.scale.size());
  return {row(arithmetic.scale, Shape{channels, 1, 1, 1}), row(arithmetic.shift, Shape{channels})};
}

}  // namespace

void turn_normalization_into_convolution(Graph& graph, Derivations& derivations) {
  using Ints = std::vector<int64_t>;
  for (Node& node : graph.nodes()) {
    if (node.op != "BatchNormalization" || node.raw) continue;
    const Shape shape = graph.value(node.inputs[0]).shapes.front();
    if (shape.rank() != 4 || graph.constant(node.inputs[0]) != nullptr) continue;
    const auto arithmetic =
        normalization_arithmetic(graph, node, static_cast<size_t>(std::max<int64_t>(shape[1], 0)));
    if (!arithmetic || arithmetic->scale.empty()) continue;
    std::vector<Tensor> sources;
    for (size_t i = 1; i < node.inputs.size(); ++i)
      sources.push_back(*graph.constant(node.inputs[i]));
    const std::string how =
        formatted("BatchNormalization {} as Conv", node.attributes.real("epsilon", 1e-5F));
    const auto* found = derivations.find(how, sources);
    const std::vector<Tensor> made = found != nullptr ? *found : weights_of(*arithmetic);
    if (found == nullptr) derivations.add(how, sources, made);
    const std::string name = graph.value(node.inputs[1]).name;
    node.op = "Conv";
    node.inputs = {node.inputs[0], graph.add_constant(name + "/weights", made.front()),
                   graph.add_constant(name + "/bias", made.back())};
    node.attributes = {{"group", shape[1]},
                       {"kernel_shape", Ints{1, 1}},
                       {"strides", Ints{1, 1}},
                       {"dilations", Ints{1, 1}},
                       {"pads", Ints{0, 0, 0, 0}}};
  }
}

}  // namespace casemate::engine
