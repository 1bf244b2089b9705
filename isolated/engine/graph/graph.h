// SPDX-License-Identifier: Apache-2.0
#pragma once
// Graph: a model as values and nodes, typed and shaped, before anything is known of devices.
//
//   x ──▶ Conv{+ post-operations} ──▶ y        nodes stand in the order they run
//   w ──▶        (w: a constant)               every value has one maker, or is input or constant
//
// A graph is compiled for a few batch sizes at once: its variants. Each value has one fully known
// shape per variant; type, nodes and constants are the same for all.
//
//   Owns     nodes, values and constants.
//   Threads  one thread changes it; const access from any number.
//   Trust    builders CHECK what callers must guarantee; sound() proves the rest.
//   Fails    only sound() returns errors; wrong ids are bugs.

#include <optional>
#include <string>
#include <vector>

#include "isolated/engine/graph/attributes.h"
#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {

// A value of one graph.
struct ValueId {
  uint32_t index = UINT32_MAX;
  auto operator<=>(const ValueId&) const = default;
  // False for an optional input that a node leaves out.
  [[nodiscard]] bool present() const { return index != UINT32_MAX; }
};

// An operation applied to a node's result before it is stored.
struct PostOp {
  std::string op;    // "Add", or an activation: see activation.h
  float alpha = 0;   // as the ONNX operator's attribute of that name
  float beta = 0;    // ditto; Clip: alpha is the lower, beta the upper bound
  int operand = -1;  // Add: which of the node's inputs is added, behind the operator's own
  bool operator==(const PostOp&) const = default;
};

struct Node {
  std::string op = {};    // ONNX's name of the operator; "domain:Name" outside its main domain
  std::string name = {};  // for messages: the node's own name, or "Conv #3"
  std::vector<ValueId> inputs = {};
  std::vector<ValueId> outputs = {};
  Attributes attributes = {};
  std::vector<PostOp> post_ops = {};
  // The version of the operator set that gave the operator its meaning; 0: the newest.
  int since = 0;
  // By input: inputs of one number, other than 0, have one element type. Empty: nothing is known.
  std::vector<uint8_t> type_groups = {};
  // As the operator set has it, not in the form that passes and kernels take: see canonical.h.
  bool raw = false;

  [[nodiscard]] ValueId input(size_t index) const {
    return index < inputs.size() ? inputs[index] : ValueId{};
  }
  [[nodiscard]] ValueId output() const { return outputs.front(); }
};

// How messages name a node: "node 'conv1' (Conv)".
std::string place_of(const Node& node);

struct Value {
  std::string name;
  ElementType type = ElementType::kNone;
  std::vector<Shape> shapes;       // one per variant
  std::optional<Tensor> constant;  // its shape is that of all variants
};

// What a node makes: a value to be.
struct Made {
  std::string name;
  ElementType type = ElementType::kFloat32;
  std::vector<Shape> shapes = {};
};

// What a file says of an output before anything has made it.
struct Declared {
  ElementType type = ElementType::kNone;  // kNone: not even that
  std::optional<Shape> shape = {};        // -1 where it varies
};

class Graph final {
 public:
  // A graph whose variants are these batch sizes. Requires: at least one.
  explicit Graph(std::vector<int64_t> batch_sizes = {1});
  // A graph as it was read: nothing has a shape yet but constants, or a type but they and inputs.
  static Graph unshaped();

  // Builders. Requires: shapes has one entry per variant; ids are of this graph.
  ValueId add_input(Made value);
  ValueId add_constant(std::string name, Tensor tensor);
  // Appends the node, which makes `outputs`, and returns the first of them. `node.outputs` is
  // ignored. Outputs without a name are left out.
  ValueId add_node(Node node, std::vector<Made> outputs);
  void add_output(ValueId value, Declared declared = {}) {
    outputs_.push_back(value);
    declared_.push_back(std::move(declared));
  }

  // The graph with a second variant, whose shapes are those of `other`. Requires: equal but for
  // shapes.
  [[nodiscard]] Graph with_variant(const Graph& other, std::vector<int64_t> batch_sizes) const;

  // Tells graphs of this process apart; a copy has the number of its original.
  [[nodiscard]] uint64_t serial() const { return serial_; }
  [[nodiscard]] const std::vector<int64_t>& batch_sizes() const { return batch_sizes_; }
  [[nodiscard]] size_t variant_count() const { return batch_sizes_.size(); }
  [[nodiscard]] const std::vector<ValueId>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<ValueId>& outputs() const { return outputs_; }
  [[nodiscard]] std::vector<ValueId>& outputs() { return outputs_; }
  // What add_output() was told of an output, for a subgraph whose node may run it not once.
  // Requires: it is there.
  [[nodiscard]] const Declared& declared(size_t output) const {
    CHECK(output < declared_.size(), "an output that is asked for is there");
    return declared_[output];
  }
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::vector<Node>& nodes() { return nodes_; }
  [[nodiscard]] size_t value_count() const { return values_.size(); }
  [[nodiscard]] const Value& value(ValueId id) const;
  [[nodiscard]] Value& value(ValueId id);
  // The constant behind an id; none for one that is computed, or absent.
  [[nodiscard]] const Tensor* constant(ValueId id) const;

  // Drops nodes that nobody reads, and frees the bytes of constants that nobody reads.
  void remove_dead();

  // Whether names, order, arity, types and shapes fit; the error names the node.
  [[nodiscard]] Status sound() const;
  // One line per node, for messages and tests.
  [[nodiscard]] std::string text() const;

 private:
  uint64_t serial_;
  std::vector<int64_t> batch_sizes_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<ValueId> inputs_;
  std::vector<ValueId> outputs_;
  std::vector<Declared> declared_;  // by output
};

// Who reads and who makes each value of a graph, as indices into nodes(). A snapshot: it does not
// follow later changes.
class Uses final {
 public:
  explicit Uses(const Graph& graph);

  // Readers in the order they run; a node that reads a value twice is there twice.
  [[nodiscard]] const std::vector<size_t>& readers(ValueId id) const { return readers_[id.index]; }
  [[nodiscard]] std::optional<size_t> maker(ValueId id) const { return makers_[id.index]; }
  [[nodiscard]] bool is_output(ValueId id) const { return outputs_[id.index]; }
  // The only reader, if there is exactly one and the value is no output of the graph.
  [[nodiscard]] std::optional<size_t> only_reader(ValueId id) const;

 private:
  std::vector<std::vector<size_t>> readers_;
  std::vector<std::optional<size_t>> makers_;
  std::vector<bool> outputs_;
};

}  // namespace casemate::engine
