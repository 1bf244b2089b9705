// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/activation.h"

#include <algorithm>
#include <array>
#include <limits>

namespace casemate::engine {
namespace {

// An attribute of an activation and its default in the ONNX operator's specification.
struct Parameter {
  std::string_view name;
  float otherwise;
};

struct Activation {
  std::string_view op;
  Parameter alpha = {};
  Parameter beta = {};
};

constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kHighest = std::numeric_limits<float>::max();

constexpr std::array kActivations = std::to_array<Activation>({
    {"Abs"},
    {"Clip", {"min", kLowest}, {"max", kHighest}},
    {"Elu", {"alpha", 1.0F}},
    {"Exp"},
    {"Gelu"},
    {"HardSigmoid", {"alpha", 0.2F}, {"beta", 0.5F}},
    {"HardSwish", {"", 1.0F / 6.0F}, {"", 0.5F}},
    {"LeakyRelu", {"alpha", 0.01F}},
    {"Mish"},
    {"Neg"},
    {"Reciprocal"},
    {"Relu"},
    {"Sigmoid"},
    {"Sqrt"},
    {"Tanh"},
});

}  // namespace

std::optional<PostOp> as_post_op(const Graph& graph, const Node& node) {
  const auto found = std::ranges::find(kActivations, node.op, &Activation::op);
  if (found == kActivations.end() || node.inputs.size() != 1 ||
      graph.value(node.inputs[0]).type != ElementType::kFloat32) {
    return std::nullopt;
  }
  if (node.op == "Gelu" && node.attributes.text("approximate", "none") == "tanh")
    return PostOp{.op = "GeluTanh"};
  const auto read = [&](const Parameter& parameter) {
    return parameter.name.empty() ? parameter.otherwise
                                  : node.attributes.real(parameter.name, parameter.otherwise);
  };
  return PostOp{node.op, read(found->alpha), read(found->beta)};
}

}  // namespace casemate::engine
