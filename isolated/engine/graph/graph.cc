// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/graph.h"

#include <algorithm>
#include <atomic>

#include "base/format.h"
#include "isolated/engine/graph/name_text.h"

namespace casemate::engine {
namespace {

uint64_t next_serial() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

Error node_error(const Node& node, std::string_view reason) {
  return {Code::kInvalid, formatted("{}: {}", place_of(node), reason)};
}

std::string list_text(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string text;
  for (const ValueId id : ids) {
    if (!text.empty()) text += ", ";
    text += id.present() ? graph.value(id).name : "-";
  }
  return text;
}

}  // namespace

std::string place_of(const Node& node) {
  return formatted("node '{}' ({})", name_text(node.name), name_text(node.op));
}

Graph::Graph(std::vector<int64_t> batch_sizes)
    : serial_(next_serial()), batch_sizes_(std::move(batch_sizes)) {
  CHECK(!batch_sizes_.empty(), "a graph is compiled for at least one batch size");
}

Graph Graph::unshaped() {
  Graph graph;
  graph.batch_sizes_.clear();
  return graph;
}

ValueId Graph::add_input(Made value) {
  CHECK(value.shapes.size() == variant_count(), "a value has one shape per variant");
  values_.push_back({std::move(value.name), value.type, std::move(value.shapes), std::nullopt});
  inputs_.push_back({static_cast<uint32_t>(values_.size() - 1)});
  return inputs_.back();
}

ValueId Graph::add_constant(std::string name, Tensor tensor) {
  std::vector<Shape> shapes(variant_count(), tensor.shape());
  const ElementType type = tensor.type();
  values_.push_back({std::move(name), type, std::move(shapes), std::move(tensor)});
  return {static_cast<uint32_t>(values_.size() - 1)};
}

ValueId Graph::add_node(Node node, std::vector<Made> outputs) {
  CHECK(!outputs.empty(), "a node makes something");
  node.outputs.clear();
  for (Made& made : outputs) {
    CHECK(made.shapes.size() == variant_count(), "a value has one shape per variant");
    if (made.name.empty()) {
      node.outputs.emplace_back();
      continue;
    }
    values_.push_back({std::move(made.name), made.type, std::move(made.shapes), std::nullopt});
    node.outputs.push_back({static_cast<uint32_t>(values_.size() - 1)});
  }
  nodes_.push_back(std::move(node));
  return nodes_.back().output();
}

Graph Graph::with_variant(const Graph& other, std::vector<int64_t> batch_sizes) const {
  Graph both = *this;
  both.batch_sizes_ = std::move(batch_sizes);
  for (size_t i = 0; i < values_.size(); ++i)
    both.values_[i].shapes.push_back(other.values_[i].shapes.front());
  return both;
}

const Value& Graph::value(ValueId id) const {
  CHECK(id.index < values_.size(), "the value is of this graph");
  return values_[id.index];
}

Value& Graph::value(ValueId id) {
  CHECK(id.index < values_.size(), "the value is of this graph");
  return values_[id.index];
}

const Tensor* Graph::constant(ValueId id) const {
  if (!id.present()) return nullptr;
  const Value& found = value(id);
  return found.constant ? &*found.constant : nullptr;
}

void Graph::remove_dead() {
  std::vector<bool> read(values_.size());
  for (const ValueId id : outputs_) read[id.index] = true;
  std::vector<Node> kept;
  // Backwards, so that a reader is seen before what makes its inputs.
  for (size_t i = nodes_.size(); i-- > 0;) {
    Node& node = nodes_[i];
    const auto is_read = [&](ValueId id) { return id.present() && read[id.index]; };
    if (std::ranges::none_of(node.outputs, is_read)) continue;
    for (const ValueId id : node.inputs) {
      if (id.present()) read[id.index] = true;
    }
    kept.push_back(std::move(node));
  }
  std::ranges::reverse(kept);
  nodes_ = std::move(kept);
  for (size_t i = 0; i < values_.size(); ++i) {
    if (!read[i]) values_[i].constant.reset();
  }
}

Status Graph::sound() const {
  std::vector<bool> made(values_.size());
  const auto shaped = [this](ValueId id) {
    const Value& found = value(id);
    return found.type != ElementType::kNone && found.shapes.size() == variant_count() &&
           std::ranges::all_of(found.shapes, &Shape::known);
  };
  for (size_t i = 0; i < values_.size(); ++i) made[i] = values_[i].constant.has_value();
  for (const ValueId id : inputs_) made[id.index] = true;
  for (const Node& node : nodes_) {
    for (const ValueId id : node.inputs) {
      if (!id.present()) continue;
      if (id.index >= values_.size()) return node_error(node, "reads a value that does not exist");
      if (!made[id.index]) {
        return node_error(node,
                          formatted("reads '{}' before it is made", name_text(value(id).name)));
      }
    }
    if (node.outputs.empty()) return node_error(node, "makes nothing");
    for (const ValueId id : node.outputs) {
      if (!id.present()) continue;
      if (id.index >= values_.size()) return node_error(node, "makes a value that does not exist");
      if (made[id.index])
        return node_error(node, formatted("makes '{}' again", name_text(value(id).name)));
      if (!shaped(id)) {
        return node_error(node,
                          formatted("the shape of '{}' is not known", name_text(value(id).name)));
      }
      made[id.index] = true;
    }
    for (const PostOp& post : node.post_ops) {
      if (post.operand >= static_cast<int>(node.inputs.size())) {
        return node_error(node, "a post-operation reads an input that is not there");
      }
    }
  }
  for (const ValueId id : outputs_) {
    if (id.index >= values_.size() || !made[id.index]) {
      return Error{Code::kInvalid, "an output of the graph is made by no node"};
    }
  }
  return {};
}

std::string Graph::text() const {
  std::string text = formatted("inputs {}\n", list_text(*this, inputs_));
  for (const Node& node : nodes_) {
    std::string posts;
    for (const PostOp& post : node.post_ops) posts += "+" + post.op;
    text += formatted("{} = {}{}({})  {}\n", list_text(*this, node.outputs), node.op, posts,
                      list_text(*this, node.inputs), value(node.output()).shapes.front().text());
  }
  return text + formatted("outputs {}\n", list_text(*this, outputs_));
}

Uses::Uses(const Graph& graph)
    : readers_(graph.value_count()), makers_(graph.value_count()), outputs_(graph.value_count()) {
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const ValueId id : graph.nodes()[i].inputs) {
      if (id.present()) readers_[id.index].push_back(i);
    }
    for (const ValueId id : graph.nodes()[i].outputs) {
      if (id.present()) makers_[id.index] = i;
    }
  }
  for (const ValueId id : graph.outputs()) outputs_[id.index] = true;
}

std::optional<size_t> Uses::only_reader(ValueId id) const {
  if (outputs_[id.index] || readers_[id.index].size() != 1) return std::nullopt;
  return readers_[id.index].front();
}

}  // namespace casemate::engine
