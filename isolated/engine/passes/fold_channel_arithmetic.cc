// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/passes/channels.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

// The constant as one number per channel of an image of that rank: a scalar, or [C,1,1] and the
// like.
std::optional<std::vector<double>> per_channel(const Tensor& constant, size_t channels,
                                               uint32_t rank) {
  const Shape& shape = constant.shape();
  if (constant.type() != ElementType::kFloat32 || shape.rank() > rank) return std::nullopt;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    const uint32_t axis = i + rank - shape.rank();
    if (shape[i] != 1 && (axis != 1 || shape[i] != static_cast<int64_t>(channels)))
      return std::nullopt;
  }
  const auto values = constant.values<float>();
  std::vector<double> result(channels, values[0]);
  if (values.size() == channels) result.assign(values.begin(), values.end());
  return result;
}

std::optional<ChannelArithmetic> arithmetic_of(const Node& node, bool constant_first,
                                               std::vector<double> constant) {
  ChannelArithmetic result{std::vector<double>(constant.size(), 1),
                           std::vector<double>(constant.size(), 0)};
  const double sign = node.op == "Sub" && !constant_first ? -1 : 1;
  if (node.op == "Add" || node.op == "Sub") {
    for (size_t c = 0; c < constant.size(); ++c) {
      result.shift[c] = sign * constant[c];
      if (node.op == "Sub" && constant_first) result.scale[c] = -1;
    }
    return result;
  }
  if (node.op == "Mul")
    result.scale = std::move(constant);
  else if (node.op == "Div" && !constant_first) {
    for (size_t c = 0; c < constant.size(); ++c) result.scale[c] = 1 / constant[c];
  } else {
    return std::nullopt;
  }
  for (const double scale : result.scale) {
    if (!std::isfinite(scale)) return std::nullopt;
  }
  return result;
}

// The arithmetic that the node does with the result of `maker`, if that is all it does.
std::optional<ChannelArithmetic> arithmetic_behind(const Graph& graph, const Node& node,
                                                   const Node& maker) {
  const auto channels = foldable_channels(graph, maker);
  if (!channels || node.inputs.size() != 2) return std::nullopt;
  const bool constant_first = node.inputs[1] == maker.output();
  const Tensor* constant = graph.constant(node.inputs[constant_first ? 0 : 1]);
  if (constant == nullptr ||
      graph.value(node.output()).shapes != graph.value(maker.output()).shapes) {
    return std::nullopt;
  }
  auto numbers =
      per_channel(*constant, *channels, graph.value(node.output()).shapes.front().rank());
  if (!numbers) return std::nullopt;
  return arithmetic_of(node, constant_first, *std::move(numbers));
}

}  // namespace

void fold_channel_arithmetic(Graph& graph, Derivations& derivations) {
  const Uses uses(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    Node& node = graph.nodes()[i];
    if (node.op != "Add" && node.op != "Sub" && node.op != "Mul" && node.op != "Div") continue;
    for (const ValueId id : std::vector<ValueId>(node.inputs)) {
      const auto maker = uses.maker(id);
      if (!maker || uses.only_reader(id) != i) continue;
      // A node that an earlier round turned into a convolution counts as one: chains fold
      // completely.
      const Node convolution = graph.nodes()[*maker];
      const auto arithmetic = arithmetic_behind(graph, node, convolution);
      if (!arithmetic) continue;
      fold_into(graph, convolution, node, *arithmetic, derivations);
      break;
    }
  }
}

}  // namespace casemate::engine
