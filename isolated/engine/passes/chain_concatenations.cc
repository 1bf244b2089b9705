// SPDX-License-Identifier: Apache-2.0
// Densely connected networks concatenate all that came before, again and again (Huang et al. 2017).
// Read as "what was concatenated before, and one more", each piece has one place in the last and
// largest of them, where it can be made.
#include <map>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

bool joins_channels(const Graph& graph, const Node& node) {
  // Other operators may leave out their first output.
  if (node.op != "Concat" || node.attributes.integer("axis", 0) != 1) return false;
  const Value& result = graph.value(node.output());
  return result.type == ElementType::kFloat32 && result.shapes.front().rank() == 4;
}

}  // namespace

void chain_concatenations(Graph& graph) {
  // More than the deepest networks have; with more, looking for prefixes would take too long.
  constexpr size_t kInputsMax = 256;
  std::map<std::vector<ValueId>, ValueId> earlier;
  for (Node& node : graph.nodes()) {
    if (!joins_channels(graph, node) || node.inputs.size() > kInputsMax) continue;
    const std::vector<ValueId> inputs = node.inputs;
    for (size_t count = inputs.size() - 1; count >= 2; --count) {
      const auto split = inputs.begin() + static_cast<ptrdiff_t>(count);
      const auto found = earlier.find({inputs.begin(), split});
      if (found == earlier.end()) continue;
      node.inputs.assign(split, inputs.end());
      node.inputs.insert(node.inputs.begin(), found->second);
      break;
    }
    earlier.emplace(inputs, node.output());
  }
}

}  // namespace casemate::engine
