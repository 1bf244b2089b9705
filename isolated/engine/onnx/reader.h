// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reader: the walk over a parsed model that read.h describes.
//
//   Owns     what it has learnt of versions and functions; the model stays the caller's.
//   Threads  one.
//   Trust    none in the model, but that its nesting was bounded by scan.h.
//   Fails    with the node and the reason; onnx's exceptions pass through.

#include "isolated/engine/graph/refusals.h"
#include "isolated/engine/onnx/file_tensors.h"
#include "isolated/engine/onnx/frame.h"
#include "isolated/engine/onnx/read.h"
#include "isolated/engine/onnx/tensors.h"

namespace onnx {
class OpSchema;
}

namespace casemate::engine {

// Where the elements of tensors are that the parsed model does not hold.
struct Elsewhere {
  const std::vector<Bytes>& raw;  // by initializer of the model's graph; empty: in the model
  const ExternalData& external;
  FileTensors* file_tensors;  // none: all are copied
};

class Reader final {
 public:
  // With `refusals`, all nodes are looked at, and those that are refused noted there.
  Reader(onnx::ModelProto& model, const Elsewhere& elsewhere, Budget& budget,
         Refusals* refusals = nullptr)
      : model_(model), elsewhere_(elsewhere), budget_(budget), refusals_(refusals) {}

  Result<ReadModel> read();

 private:
  using Versions = std::map<std::string, int>;  // of operator sets, by domain

  Status read_functions();
  Status add_initializers(Frame& frame, onnx::GraphProto& graph, std::span<const Bytes> raw = {});
  Status add_nodes(Frame& frame, google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes,
                   const Versions& versions);
  Status add_node(Frame& frame, onnx::NodeProto node, const Versions& versions);
  Status go_on_behind(Frame& frame, const std::vector<std::string>& outputs, const Error& error);
  Status add_operator(Frame& frame, onnx::NodeProto& node, const onnx::OpSchema& schema,
                      const Versions& versions);
  Status add_call(Frame& frame, const onnx::NodeProto& node, const onnx::FunctionProto& function);
  Status read_body(Frame& frame, const onnx::NodeProto& node, const onnx::FunctionProto& function);
  Status add_schema_function(Frame& frame, const onnx::NodeProto& node,
                             const onnx::OpSchema& schema, const Versions& versions);
  Status bind_attributes(const Frame& frame, onnx::NodeProto& node);
  Status pay_for(const onnx::NodeProto& node, const Frame& frame);
  Status pay_for_ports(const onnx::GraphProto& graph);
  Result<std::vector<ValueId>> inputs_of(Frame& frame, const onnx::NodeProto& node) const;
  Status define_outputs(Frame& frame, const onnx::NodeProto& node, const Node& made) const;
  Status set_attribute(Frame& frame, Node& node, onnx::AttributeProto& attribute,
                       const Versions& versions);
  Status set_graph(Frame& frame, Node& node, const std::string& name, onnx::GraphProto& graph,
                   const Versions& versions);
  Result<Tensor> tensor_of(onnx::TensorProto& tensor, Bytes raw = {});

  onnx::ModelProto& model_;
  Elsewhere elsewhere_;
  Budget& budget_;
  Refusals* refusals_;
  Versions versions_;
  std::map<std::pair<std::string, std::string>, const onnx::FunctionProto*> functions_;
  std::vector<const onnx::FunctionProto*> calls_;  // whose bodies are being read
  int nodes_left_ = 1 << 16;  // the largest models in use have a tenth; planning is not linear
};

// Versions of the operator sets that a model or a function imports. Fails when one is imported
// twice, or is not known.
Result<std::map<std::string, int>> versions_of(
    const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports);

// How the file describes an input or output. Fails on a shape that cannot be.
Result<Port> port_of(const onnx::ValueInfoProto& value);

}  // namespace casemate::engine
