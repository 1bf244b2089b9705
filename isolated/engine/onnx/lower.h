// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lowering: a checked and shaped ONNX graph rewritten into ours, node by node. What older operator
// sets mean differently becomes what the newest means, inputs that must be constant become
// attributes, defaults become explicit, and everything that only changes a shape becomes Reshape.
//
//   Owns     the graph in the making.
//   Threads  one.
//   Trust    admitted and inferred; each operator still checks what its kernel relies on.
//   Fails    with the node and the reason.

#include <unordered_map>
#include <unordered_set>

#include "isolated/engine/onnx/infer.h"

namespace casemate::engine {

class Lowering final {
 public:
  Lowering(Inferred inferred, int opset);

  // The whole graph, in order. Takes the initializers' bytes away.
  Result<Graph> lower(onnx::GraphProto& graph);

  // What a name stands for from here on; absent before.
  void define(const std::string& name, ValueId id) { values_[name] = id; }
  [[nodiscard]] ValueId value(const std::string& name) const;

  [[nodiscard]] int opset() const { return opset_; }
  [[nodiscard]] Graph& graph() { return graph_; }
  [[nodiscard]] size_t variant_count() const { return graph_.variant_count(); }

  // The value that the node reads at that input; absent when it reads none.
  [[nodiscard]] ValueId input(const onnx::NodeProto& node, int index) const;
  [[nodiscard]] const std::vector<Shape>& shapes(ValueId id) const {
    return graph_.value(id).shapes;
  }
  // The input as a constant; none when it is absent or computed.
  [[nodiscard]] const Tensor* constant(const onnx::NodeProto& node, int index) const;
  // The elements of a constant INT64 or INT32 input. Fails when it is computed; empty when absent.
  [[nodiscard]] Result<std::vector<int64_t>> integers(const onnx::NodeProto& node, int index) const;

  // Type and shapes of the node's first output. Fails when they could not be inferred.
  Result<Made> made(const onnx::NodeProto& node) const;
  // Appends a node that makes the node's first output. Fails as made().
  Status emit(const onnx::NodeProto& node, std::string op, std::vector<ValueId> inputs,
              Attributes attributes);
  // Appends a node that makes a value which the file has no name for.
  ValueId emit_inner(const onnx::NodeProto& node, std::string op, std::vector<ValueId> inputs,
                     Attributes attributes, ElementType type, std::vector<Shape> shapes);
  // Makes the node's first output the given value.
  void bind(const onnx::NodeProto& node, ValueId id) { define(node.output(0), id); }
  // Fails when a node uses more than its first output.
  Status one_output(const onnx::NodeProto& node) const;

 private:
  Inferred inferred_;
  int opset_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
  std::unordered_set<std::string> read_;  // names that a node or an output reads
};

// The node's attributes in our form.
Attributes attributes_of(const onnx::NodeProto& node);

// An axis counted from the front. Fails when it is not in -rank..rank-1.
Result<size_t> axis_of(const onnx::NodeProto& node, int64_t axis, uint32_t rank);

}  // namespace casemate::engine
