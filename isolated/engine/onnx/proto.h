// SPDX-License-Identifier: Apache-2.0
#pragma once
// ONNX's own classes, as the files of this folder use them, and how messages name a node.

#include <onnx/onnx_pb.h>

#include <string>

#include "base/format.h"
#include "base/result.h"
#include "isolated/engine/graph/name_text.h"

namespace casemate::engine {

// "node 'conv1' (Conv)". Nodes without a name have been given one: see name_nodes().
inline std::string place_of(const onnx::NodeProto& node) {
  return formatted("node '{}' ({})", name_text(node.name()), name_text(node.op_type()));
}

inline Error refusal(const onnx::NodeProto& node, Code code, std::string_view reason) {
  return {code, formatted("{}: {}", place_of(node), reason)};
}
inline Error invalid(const onnx::NodeProto& node, std::string_view reason) {
  return refusal(node, Code::kInvalid, reason);
}
inline Error unsupported(const onnx::NodeProto& node, std::string_view reason) {
  return refusal(node, Code::kUnsupported, reason);
}

// Gives nodes without a name the name "Conv #3", so that libonnx's messages say it too.
inline void name_nodes(onnx::GraphProto& graph) {
  for (int i = 0; i < graph.node_size(); ++i) {
    onnx::NodeProto& node = *graph.mutable_node(i);
    if (node.name().empty()) node.set_name(formatted("{} #{}", node.op_type(), i));
  }
}

// The attribute of that name, if the node has it.
inline const onnx::AttributeProto* find_attribute(const onnx::NodeProto& node,
                                                  std::string_view name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

}  // namespace casemate::engine
