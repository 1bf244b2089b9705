// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/admit.h"

#include <onnx/defs/schema.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "isolated/engine/onnx/names.h"
#include "isolated/engine/onnx/operators.h"

namespace casemate::engine {
namespace {

using onnx::AttributeProto;

// Attributes on which shape inference computes, and the values that keep its arithmetic sound: it
// divides by strides, and multiplies extents of up to 2^31 with these in 64 bits.
struct AttributeRange {
  std::string_view name;
  int64_t lowest;
  int64_t highest;
};

constexpr int64_t kFar = 1ll << 20;
constexpr std::array kRanges = std::to_array<AttributeRange>({
    {"dilations", 1, kFar},
    {"group", 1, kFar},
    {"kernel_shape", 1, kFar},
    {"pads", 0, kFar},
    {"strides", 1, kFar},
});
// The largest models in use have a tenth of this; passes and planning take time in its square.
constexpr int kNodesMax = 65536;
constexpr int64_t kExtentMax = 1ll << 31;

// libonnx reads beyond an empty list for any other word (found by fuzzing).
constexpr std::array<std::string_view, 4> kPaddings = {"NOTSET", "SAME_UPPER", "SAME_LOWER",
                                                       "VALID"};

Status admit_values(const onnx::NodeProto& node, const AttributeProto& attribute) {
  if (attribute.name() == "auto_pad" && !std::ranges::contains(kPaddings, attribute.s())) {
    return invalid(node,
                   std::format("attribute 'auto_pad' has the unknown value '{}'", attribute.s()));
  }
  const auto range = std::ranges::find(kRanges, attribute.name(), &AttributeRange::name);
  if (range == kRanges.end()) return {};
  const auto fits = [&](int64_t value) {
    return value >= range->lowest && value <= range->highest;
  };
  if ((attribute.type() == AttributeProto::INT && !fits(attribute.i())) ||
      !std::ranges::all_of(attribute.ints(), fits)) {
    return invalid(node, std::format("a value of its attribute '{}' is not in {}..{}",
                                     attribute.name(), range->lowest, range->highest));
  }
  return {};
}

Status admit_attributes(onnx::NodeProto& node, const ExternalData& external, Budget& budget) {
  std::unordered_set<std::string> names;
  for (AttributeProto& attribute : *node.mutable_attribute()) {
    const std::string& name = attribute.name();
    if (!names.insert(name).second)
      return invalid(node, std::format("attribute '{}' is there twice", name));
    switch (attribute.type()) {
      case AttributeProto::INT:
      case AttributeProto::FLOAT:
      case AttributeProto::STRING:
      case AttributeProto::INTS:
      case AttributeProto::FLOATS:
        break;
      case AttributeProto::TENSOR: {
        const Status sound = admit_tensor(*attribute.mutable_t(), external, budget);
        if (!sound) {
          return refusal(node, sound.error().code,
                         std::format("tensor in attribute '{}': {}", name, sound.error().text));
        }
        break;
      }
      default:
        return unsupported(node, std::format("attribute '{}' has an unsupported type", name));
    }
    // A field that the type does not announce would be read by nobody, or by code that trusts it.
    if (attribute.has_g() || attribute.graphs_size() > 0 || attribute.tensors_size() > 0 ||
        attribute.has_sparse_tensor() || attribute.sparse_tensors_size() > 0 ||
        attribute.has_tp() || attribute.type_protos_size() > 0 ||
        !attribute.ref_attr_name().empty() ||
        (attribute.has_t() && attribute.type() != AttributeProto::TENSOR)) {
      return unsupported(
          node, std::format("attribute '{}' holds a subgraph, sparse tensor or type", name));
    }
    TRY(admit_values(node, attribute));
  }
  return {};
}

Result<int> admit_versions(const onnx::ModelProto& model) {
  if (!model.has_ir_version() || model.ir_version() < 3 || model.ir_version() > onnx::IR_VERSION) {
    return Error{Code::kUnsupported,
                 std::format("the file has format (IR) version {}, supported are 3 to {}",
                             model.ir_version(), static_cast<int>(onnx::IR_VERSION))};
  }
  const auto known =
      onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at(onnx::ONNX_DOMAIN);
  int64_t version = 0;
  for (const auto& set : model.opset_import()) {
    if (set.domain() != onnx::ONNX_DOMAIN && set.domain() != "ai.onnx") continue;
    if (version != 0) return Error{Code::kInvalid, "the model imports the ONNX operator set twice"};
    version = set.version();
    if (version < kOpsetMin || version > known.second) {
      return Error{
          Code::kUnsupported,
          std::format("the model uses operator set {}, supported are {} to {}: convert it with "
                      "onnx.version_converter",
                      version, kOpsetMin, known.second)};
    }
  }
  if (version == 0) return Error{Code::kInvalid, "the model imports no ONNX operator set"};
  return static_cast<int>(version);
}

Status admit_operator(onnx::NodeProto& node, int version) {
  if (node.domain() == "ai.onnx") node.clear_domain();
  if (!node.domain().empty()) {
    return unsupported(node, std::format("its domain '{}' is not supported", node.domain()));
  }
  const auto* schema =
      onnx::OpSchemaRegistry::Instance()->GetSchema(node.op_type(), version, onnx::ONNX_DOMAIN);
  if (schema == nullptr) {
    return invalid(node, std::format("operator set {} has no such operator", version));
  }
  if (find_operator(node.op_type()) == nullptr) {
    return unsupported(node, "this operator is not supported: export the model without it");
  }
  const auto& formal = schema->inputs();
  for (int k = 0; k < node.input_size(); ++k) {
    if (!node.input(k).empty()) continue;
    const size_t last = formal.empty() ? 0 : formal.size() - 1;
    if (formal.empty() ||
        formal[std::min(static_cast<size_t>(k), last)].GetOption() != onnx::OpSchema::Optional) {
      return invalid(node, std::format("its input {} may not be left out", k));
    }
  }
  if (node.output_size() == 0 || node.output(0).empty()) return invalid(node, "makes nothing");
  return {};
}

Status admit_ports(const onnx::GraphProto& graph) {
  for (const auto* list : {&graph.input(), &graph.output()}) {
    for (const auto& port : *list) {
      const auto refused = [&](std::string_view why) {
        return Error{Code::kUnsupported,
                     std::format("'{}' of the model's interface {}", port.name(), why)};
      };
      if (!port.type().has_tensor_type())
        return refused("is no tensor: sequences, maps and optionals are not supported");
      const auto type =
          element_type_from(static_cast<uint32_t>(port.type().tensor_type().elem_type()));
      if (!type || size_of(*type) == 0) return refused("has an element type that is not supported");
      const auto& dims = port.type().tensor_type().shape().dim();
      if (dims.size() > static_cast<int>(limits::kRank)) {
        return refused(
            std::format("has {} dimensions, supported are at most {}", dims.size(), limits::kRank));
      }
      for (const auto& dim : dims) {
        if (dim.has_dim_value() && (dim.dim_value() < 0 || dim.dim_value() > kExtentMax)) {
          return refused(
              std::format("has the extent {}, supported are 0 to 2^31", dim.dim_value()));
        }
      }
    }
  }
  return {};
}

Status admit_constants(onnx::GraphProto& graph, const ExternalData& external, Budget& budget) {
  if (graph.sparse_initializer_size() > 0) {
    return Error{Code::kUnsupported, "sparse initializers are not supported: export dense ones"};
  }
  for (onnx::TensorProto& tensor : *graph.mutable_initializer()) {
    const Status sound = admit_tensor(tensor, external, budget);
    if (!sound) {
      return Error{sound.error().code,
                   std::format("initializer '{}': {}", tensor.name(), sound.error().text)};
    }
  }
  return {};
}

// libonnx takes a kernel's shape from the weights without comparing their rank with the input's,
// and reads beyond its lists where they differ (found by fuzzing). With the attribute it compares.
Status make_kernel_shapes_explicit(onnx::GraphProto& graph) {
  std::unordered_map<std::string, const onnx::TensorProto*> constants;
  for (const auto& tensor : graph.initializer()) constants[tensor.name()] = &tensor;
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    if (node.op_type() == "Constant" && node.attribute_size() == 1 && node.attribute(0).has_t()) {
      constants[node.output(0)] = &node.attribute(0).t();
    }
    if (node.op_type() != "Conv" || node.input_size() < 2 ||
        find_attribute(node, "kernel_shape") != nullptr) {
      continue;
    }
    const auto weights = constants.find(node.input(1));
    if (weights == constants.end()) {
      return unsupported(node, "its weights are computed, only constant ones are supported");
    }
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name("kernel_shape");
    attribute.set_type(AttributeProto::INTS);
    for (int i = 2; i < weights->second->dims_size(); ++i) {
      attribute.add_ints(weights->second->dims(i));
    }
  }
  return {};
}

}  // namespace

Result<int> admit(onnx::ModelProto& model, const ExternalData& external, Budget& budget) {
  if (!model.has_graph()) return Error{Code::kInvalid, "the file holds no graph"};
  if (model.functions_size() > 0) {
    return Error{Code::kUnsupported,
                 "functions local to the model are not supported: export it with them inlined"};
  }
  // What trains a model is of no use here, and libonnx's checker would walk through it.
  model.clear_training_info();
  const int version = TRY(admit_versions(model));
  // Before format version 4 initializers had to be inputs as well. We take them from the inputs, so
  // the file is one of version 4 from here on.
  model.set_ir_version(std::max<int64_t>(model.ir_version(), 4));
  model.clear_opset_import();
  model.add_opset_import()->set_version(version);
  onnx::GraphProto& graph = *model.mutable_graph();
  if (graph.node_size() > kNodesMax) {
    return Error{Code::kTooLarge, std::format("the model has {} nodes, supported are at most {}",
                                              graph.node_size(), kNodesMax)};
  }
  name_nodes(graph);
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    TRY(admit_operator(node, version));
    TRY(admit_attributes(node, external, budget));
  }
  TRY(check_names(graph));
  TRY(admit_ports(graph));
  TRY(admit_constants(graph, external, budget));
  TRY(make_kernel_shapes_explicit(graph));
  return version;
}

}  // namespace casemate::engine
