// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/cut/piece.h"

namespace casemate::driver {

using engine::Graph;
using engine::Node;
using engine::ValueId;

Graph piece_of(const Graph& graph, std::span<const size_t> nodes, std::span<const ValueId> inputs,
               std::span<const ValueId> outputs) {
  Graph piece({graph.batch_sizes().front()});
  std::vector<ValueId> ids(graph.value_count());
  const auto made_of = [&](ValueId id) {
    const engine::Value& value = graph.value(id);
    return engine::Made{value.name, value.type, {value.shapes.front()}};
  };
  for (const ValueId id : inputs) ids[id.index] = piece.add_input(made_of(id));
  for (const size_t index : nodes) {
    Node node = graph.nodes()[index];
    for (ValueId& id : node.inputs) {
      if (!id.present()) continue;
      ValueId& mine = ids[id.index];
      if (!mine.present()) {
        const engine::Tensor* constant = graph.constant(id);
        CHECK(constant != nullptr, "a piece is given what it does not make");
        mine = piece.add_constant(graph.value(id).name, *constant);
      }
      id = mine;
    }
    std::vector<engine::Made> made;
    for (const ValueId id : node.outputs)
      made.push_back(id.present() ? made_of(id) : engine::Made{"", ElementType::kNone, {Shape{}}});
    piece.add_node(std::move(node), std::move(made));
    const std::vector<ValueId>& before = graph.nodes()[index].outputs;
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i].present()) ids[before[i].index] = piece.nodes().back().outputs[i];
    }
  }
  for (const ValueId id : outputs) piece.add_output(ids[id.index]);
  return piece;
}

}  // namespace casemate::driver
