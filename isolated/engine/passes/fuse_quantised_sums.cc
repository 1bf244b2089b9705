// SPDX-License-Identifier: Apache-2.0
// A sum of bytes one of which a product has just made is done by that product, before it stores
// them.
#include <algorithm>

#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/quantised.h"

namespace casemate::engine {
namespace {

bool product(const Node& node) {
  return (node.op == "QLinearConv" && !node.raw) || node.op == "casemate:QLinearGemm";
}

// Depth-wise convolutions have nothing to spare for a sum.
bool takes_sums(const Graph& graph, const Node& node) {
  return product(node) && node.post_ops.empty() && graph.constant(node.inputs[3]) != nullptr &&
         (node.op != "QLinearConv" || node.attributes.integer("group", 1) == 1);
}

ValueId byte_constant(Graph& graph, const std::string& name, ElementType type, int64_t value) {
  return graph.add_constant(name,
                            type == ElementType::kInt8
                                ? Tensor::of<int8_t>(Shape{}, {static_cast<int8_t>(value)})
                                : Tensor::of<uint8_t>(Shape{}, {static_cast<uint8_t>(value)}));
}

// Puts the product in the place of the sum, if it may do the sum's work.
void fuse(Graph& graph, const Uses& uses, size_t index) {
  const Node sum = graph.nodes()[index];
  const std::vector<float> scales = sum.attributes.reals("scales");
  const std::vector<int64_t> zeros = sum.attributes.integers("zeros");
  if (sum.op != "casemate:QLinearAdd" || scales.size() != 3 || zeros.size() != 3) return;
  // The later of two products takes it: the other one is computed by then.
  std::optional<size_t> maker;
  size_t own = 0;
  for (const size_t side : {0, 1}) {
    const auto found = uses.maker(sum.inputs[side]);
    if (!found || !uses.only_reader(sum.inputs[side]) || sum.inputs[0] == sum.inputs[1]) continue;
    if (!takes_sums(graph, graph.nodes()[*found]) || (maker && *found < *maker)) continue;
    maker = found;
    own = side;
  }
  const ElementType type = graph.value(sum.output()).type;
  if (!maker || graph.value(sum.inputs[own]).type != type) return;
  Node made = graph.nodes()[*maker];
  made.outputs = sum.outputs;
  made.attributes.set("sum_scales", std::vector<float>{scales[own], scales[1 - own]});
  made.attributes.set("sum_zeros", std::vector<int64_t>{zeros[own], zeros[1 - own]});
  made.inputs.resize(9);
  made.inputs[6] =
      graph.add_constant(made.name + "/scale", Tensor::of<float>(Shape{}, {scales[2]}));
  made.inputs[7] = byte_constant(graph, made.name + "/zero", type, zeros[2]);
  made.post_ops = {{.op = "Add", .operand = 9}};
  made.inputs.push_back(sum.inputs[1 - own]);
  made.post_ops.insert(made.post_ops.end(), sum.post_ops.begin(), sum.post_ops.end());
  graph.nodes()[index] = std::move(made);
}

}  // namespace

void fuse_quantised_sums(Graph& graph) {
  const Uses uses(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) fuse(graph, uses, i);
}

}  // namespace casemate::engine
