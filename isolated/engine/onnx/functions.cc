// SPDX-License-Identifier: Apache-2.0
// Calls of functions, the model's own and those by which ONNX defines operators: the nodes of the
// body take the place of the call.
#include <onnx/defs/schema.h>

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/onnx/reader.h"

namespace casemate::engine {

Status Reader::add_call(Frame& frame, const onnx::NodeProto& node,
                        const onnx::FunctionProto& function) {
  if (node.input_size() > function.input_size() || node.output_size() > function.output_size()) {
    return invalid(node, formatted("has {} inputs and {} outputs, its function takes {} and {}",
                                   node.input_size(), node.output_size(), function.input_size(),
                                   function.output_size()));
  }
  if (std::ranges::contains(calls_, &function))
    return invalid(node, formatted("its function '{}' calls itself", name_text(function.name())));
  // So no body is copied twice at a time: all copies together are no larger than the file.
  calls_.push_back(&function);
  const Status read = read_body(frame, node, function);
  calls_.pop_back();
  return read;
}

Status Reader::read_body(Frame& frame, const onnx::NodeProto& node,
                         const onnx::FunctionProto& function) {
  Frame::Bindings bindings;
  for (const auto& attribute : function.attribute_proto()) bindings[attribute.name()] = &attribute;
  for (const auto& attribute : node.attribute()) bindings[attribute.name()] = &attribute;
  Frame body = Frame::of_function(frame, bindings, node.name());
  const std::vector<ValueId> inputs = TRY(inputs_of(frame, node));
  for (int i = 0; i < function.input_size(); ++i) {
    // An input that the call leaves out is one that the body leaves out.
    const auto index = static_cast<size_t>(i);
    body.define(function.input(i), index < inputs.size() ? inputs[index] : ValueId{});
  }
  onnx::FunctionProto copy = function;
  TRY(add_nodes(body, *copy.mutable_node(), TRY(versions_of(function.opset_import()))));
  for (int i = 0; i < node.output_size(); ++i) {
    if (node.output(i).empty()) continue;
    const ValueId made = body.find(function.output(i));
    if (!made.present())
      return invalid(node,
                     formatted("its function does not make '{}'", name_text(function.output(i))));
    if (!frame.define(node.output(i), made))
      return invalid(node,
                     formatted("makes '{}', which is there already", name_text(node.output(i))));
  }
  return {};
}

// An operator that has no function of ours, but one of ONNX's own.
Status Reader::add_schema_function(Frame& frame, const onnx::NodeProto& node,
                                   const onnx::OpSchema& schema, const Versions& versions) {
  const int version = versions.at(node.domain());
  onnx::FunctionProto function;
  if (const onnx::FunctionProto* fixed = schema.GetFunction(version); fixed != nullptr) {
    function = *fixed;
  } else {
    std::vector<onnx::TypeProto> types;
    for (const std::string& name : node.input()) {
      onnx::TypeProto& type = types.emplace_back();
      const ValueId id = name.empty() ? ValueId{} : frame.find(name);
      if (id.present())
        type.mutable_tensor_type()->set_elem_type(static_cast<int>(frame.graph().value(id).type));
    }
    const onnx::FunctionBodyBuildContextImpl context(node, types);
    if (!schema.HasContextDependentFunction() ||
        !schema.BuildContextDependentFunction(context, function, version))
      return unsupported(node, "this operator is not supported: export the model without it");
  }
  // What the call does not say, its schema does.
  onnx::NodeProto call = node;
  for (const auto& [name, attribute] : schema.attributes()) {
    if (!attribute.default_value.has_type() || find_attribute(node, name) != nullptr) continue;
    onnx::AttributeProto& added = *call.add_attribute();
    added = attribute.default_value;
    added.set_name(name);
  }
  return add_call(frame, call, function);
}

}  // namespace casemate::engine
