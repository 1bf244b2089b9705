// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/ports.h"

#include <optional>
#include <unordered_set>

namespace casemate::engine {
namespace {

bool varies(const onnx::TensorShapeProto::Dimension& dim) { return !dim.has_dim_value(); }

}  // namespace

Ports take_ports(onnx::GraphProto& graph) {
  std::unordered_set<std::string> constants;
  for (const auto& tensor : graph.initializer()) constants.insert(tensor.name());
  Ports ports;
  for (const auto& input : graph.input()) {
    if (!constants.contains(input.name())) ports.inputs.push_back(input);
  }
  ports.outputs.assign(graph.output().begin(), graph.output().end());
  graph.clear_value_info();
  graph.clear_input();
  for (const auto& input : ports.inputs) *graph.add_input() = input;
  return ports;
}

Result<bool> batched(const Ports& ports) {
  std::optional<std::string> symbol;
  for (const auto& input : ports.inputs) {
    const auto& type = input.type().tensor_type();
    if (!type.has_shape()) {
      return Error{Code::kUnsupported,
                   std::format("input '{}' has no shape: export the model with one", input.name())};
    }
    for (int i = 0; i < type.shape().dim_size(); ++i) {
      const auto& dim = type.shape().dim(i);
      if (!varies(dim)) continue;
      if (i > 0) {
        return Error{
            Code::kUnsupported,
            std::format(
                "extent {} ('{}') of input '{}' varies, only extent 0 may: export the model "
                "with fixed shapes but for the batch",
                i, dim.dim_param(), input.name())};
      }
      if (symbol && *symbol != dim.dim_param()) {
        return Error{
            Code::kUnsupported,
            std::format("inputs vary independently of each other ('{}' and '{}'), only one batch "
                        "size is supported",
                        *symbol, dim.dim_param())};
      }
      symbol = dim.dim_param();
    }
  }
  return symbol.has_value();
}

onnx::TypeProto type_of(const onnx::ValueInfoProto& input, int64_t batch) {
  onnx::TypeProto type = input.type();
  auto& shape = *type.mutable_tensor_type()->mutable_shape();
  if (shape.dim_size() > 0 && varies(shape.dim(0))) shape.mutable_dim(0)->set_dim_value(batch);
  return type;
}

Status agrees(const onnx::ValueInfoProto& output, const Shape& shape) {
  const auto& type = output.type().tensor_type();
  if (!type.has_shape()) return {};
  bool fits = type.shape().dim_size() == static_cast<int>(shape.rank());
  for (int i = 0; fits && i < type.shape().dim_size(); ++i) {
    const auto& dim = type.shape().dim(i);
    fits = varies(dim) || dim.dim_value() == shape[static_cast<size_t>(i)];
  }
  if (fits) return {};
  return Error{
      Code::kInvalid,
      std::format("output '{}' is declared with another shape than {}, which its nodes make",
                  output.name(), shape.text())};
}

}  // namespace casemate::engine
