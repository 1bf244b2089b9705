// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/lower.h"

#include "isolated/engine/onnx/operators.h"
#include "isolated/engine/onnx/tensors.h"

namespace casemate::engine {

Lowering::Lowering(Inferred inferred, int opset)
    : inferred_(std::move(inferred)), opset_(opset), graph_(inferred_.batch_sizes) {}

Result<Graph> Lowering::lower(onnx::GraphProto& graph) {
  for (onnx::TensorProto& tensor : *graph.mutable_initializer()) {
    auto taken = take_tensor(tensor);
    if (!taken) {
      return Error{taken.error().code,
                   std::format("initializer '{}': {}", tensor.name(), taken.error().text)};
    }
    values_[tensor.name()] = graph_.add_constant(tensor.name(), *std::move(taken));
  }
  for (const auto& input : graph.input()) {
    values_[input.name()] = graph_.add_input(inferred_.values.at(input.name()));
  }
  for (const auto& node : graph.node()) {
    read_.insert(node.input().begin(), node.input().end());
  }
  for (const auto& output : graph.output()) read_.insert(output.name());
  for (const auto& node : graph.node()) {
    if (const auto known = inferred_.constants.find(node.output(0));
        known != inferred_.constants.end()) {
      bind(node, graph_.add_constant(known->first, std::move(known->second)));
      continue;
    }
    const Lower rewrite = find_operator(node.op_type());
    CHECK(rewrite != nullptr, "admission lets only known operators through");
    TRY(rewrite(*this, node));
  }
  for (const auto& output : graph.output()) {
    const ValueId found = value(output.name());
    if (!found.present()) {
      return Error{Code::kUnsupported,
                   std::format("output '{}' is an optional output of its node", output.name())};
    }
    graph_.add_output(found);
  }
  return std::move(graph_);
}

ValueId Lowering::value(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? ValueId{} : found->second;
}

ValueId Lowering::input(const onnx::NodeProto& node, int index) const {
  if (index >= node.input_size() || node.input(index).empty()) return {};
  return value(node.input(index));
}

const Tensor* Lowering::constant(const onnx::NodeProto& node, int index) const {
  return graph_.constant(input(node, index));
}

Result<std::vector<int64_t>> Lowering::integers(const onnx::NodeProto& node, int index) const {
  if (!input(node, index).present()) return std::vector<int64_t>{};
  const Tensor* tensor = constant(node, index);
  if (tensor == nullptr) {
    return unsupported(node,
                       std::format("its input '{}' is computed, only a constant is supported here",
                                   node.input(index)));
  }
  std::vector<int64_t> values;
  if (tensor->type() == ElementType::kInt32) {
    const auto elements = tensor->values<int32_t>();
    values.assign(elements.begin(), elements.end());
  } else if (tensor->type() == ElementType::kInt64) {
    const auto elements = tensor->values<int64_t>();
    values.assign(elements.begin(), elements.end());
  } else {
    return invalid(node, std::format("its input '{}' is no integer tensor", node.input(index)));
  }
  return values;
}

Result<Made> Lowering::made(const onnx::NodeProto& node) const {
  const auto found = inferred_.values.find(node.output(0));
  if (found == inferred_.values.end()) {
    return unsupported(node,
                       std::format("the shape of '{}' could not be inferred", node.output(0)));
  }
  return found->second;
}

Status Lowering::emit(const onnx::NodeProto& node, std::string op, std::vector<ValueId> inputs,
                      Attributes attributes) {
  Made output = TRY(made(node));
  bind(node, graph_.add_node({.op = std::move(op),
                              .name = node.name(),
                              .inputs = std::move(inputs),
                              .outputs = {},
                              .attributes = std::move(attributes)},
                             {std::move(output)}));
  return {};
}

ValueId Lowering::emit_inner(const onnx::NodeProto& node, std::string op,
                             std::vector<ValueId> inputs, Attributes attributes, ElementType type,
                             std::vector<Shape> shapes) {
  std::string name = std::format("{}/{}", node.output(0), graph_.value_count());
  return graph_.add_node({.op = std::move(op),
                          .name = node.name(),
                          .inputs = std::move(inputs),
                          .outputs = {},
                          .attributes = std::move(attributes)},
                         {{std::move(name), type, std::move(shapes)}});
}

Status Lowering::one_output(const onnx::NodeProto& node) const {
  for (int i = 1; i < node.output_size(); ++i) {
    if (read_.contains(node.output(i))) {
      return unsupported(node, std::format("its output '{}' is used, only the first is supported",
                                           node.output(i)));
    }
  }
  return {};
}

Attributes attributes_of(const onnx::NodeProto& node) {
  Attributes attributes;
  for (const auto& attribute : node.attribute()) {
    const std::string& name = attribute.name();
    switch (attribute.type()) {
      case onnx::AttributeProto::INT:
        attributes.set(name, attribute.i());
        break;
      case onnx::AttributeProto::FLOAT:
        attributes.set(name, attribute.f());
        break;
      case onnx::AttributeProto::STRING:
        attributes.set(name, attribute.s());
        break;
      case onnx::AttributeProto::INTS:
        attributes.set(name,
                       std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end()));
        break;
      case onnx::AttributeProto::FLOATS:
        attributes.set(name,
                       std::vector<float>(attribute.floats().begin(), attribute.floats().end()));
        break;
      default:
        break;  // a tensor, which only Constant has, and reads itself
    }
  }
  return attributes;
}

Result<size_t> axis_of(const onnx::NodeProto& node, int64_t axis, uint32_t rank) {
  const int64_t signed_rank = rank;
  if (axis < -signed_rank || axis >= signed_rank) {
    return invalid(node,
                   std::format("axis {} is not in {}..{}", axis, -signed_rank, signed_rank - 1));
  }
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

Status lower_plain(Lowering& lowering, const onnx::NodeProto& node) {
  TRY(lowering.one_output(node));
  std::vector<ValueId> inputs;
  for (int i = 0; i < node.input_size(); ++i) inputs.push_back(lowering.input(node, i));
  return lowering.emit(node, node.op_type(), std::move(inputs), attributes_of(node));
}

}  // namespace casemate::engine
