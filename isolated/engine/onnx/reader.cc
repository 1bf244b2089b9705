// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/reader.h"

#include <onnx/defs/schema.h>

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/graph/name_text.h"
#include "isolated/engine/onnx/schemas.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

using OnnxOption = onnx::OpSchema::FormalParameterOption;

constexpr int kDepthMax = 48;

bool main_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

// Node::op.
std::string op_of(const onnx::NodeProto& node) {
  return main_domain(node.domain()) ? node.op_type() : node.domain() + ":" + node.op_type();
}

// Whether the node has as many inputs and outputs, and the attributes, that its schema allows.
Status check_against(const onnx::NodeProto& node, const onnx::OpSchema& schema) {
  if (node.input_size() < schema.min_input() || node.input_size() > schema.max_input()) {
    return invalid(node, formatted("has {} inputs, it takes {} to {}", node.input_size(),
                                   schema.min_input(), schema.max_input()));
  }
  if (node.output_size() < schema.min_output() || node.output_size() > schema.max_output()) {
    return invalid(node, formatted("has {} outputs, it makes {} to {}", node.output_size(),
                                   schema.min_output(), schema.max_output()));
  }
  for (int i = 0; i < node.input_size() && !schema.inputs().empty(); ++i) {
    const size_t formal = std::min(static_cast<size_t>(i), schema.inputs().size() - 1);
    const bool optional = schema.inputs()[formal].GetOption() == OnnxOption::Optional;
    if (!optional && node.input(i).empty())
      return invalid(node, formatted("its input {} may not be left out", i));
  }
  try {
    schema.Verify(node);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return invalid(node, error.what());
  }
  return {};
}

// By input: which of the schema's types it has in common with others, none: 0.
std::vector<uint8_t> type_groups(const onnx::NodeProto& node, const onnx::OpSchema& schema) {
  std::vector<uint8_t> groups;
  std::vector<std::string> names;
  for (int i = 0; i < node.input_size() && !schema.inputs().empty(); ++i) {
    const size_t last = schema.inputs().size() - 1;
    const auto& formal = schema.inputs()[std::min(static_cast<size_t>(i), last)];
    const bool mixed = formal.GetOption() == OnnxOption::Variadic && !formal.GetIsHomogeneous();
    auto found = std::ranges::find(names, formal.GetTypeStr());
    if (found == names.end()) found = names.insert(names.end(), formal.GetTypeStr());
    groups.push_back(mixed ? 0 : static_cast<uint8_t>(1 + (found - names.begin())));
  }
  return groups;
}

// What the file says of an output of a subgraph, as far as we could hold it. Only loops that do not
// run once need it, so what is wrong with it is left to them: see nothing_scanned().
Declared declared_of(const onnx::ValueInfoProto& output) {
  Declared declared;
  if (output.type().value_case() != onnx::TypeProto::kTensorType) return declared;
  const onnx::TypeProto::Tensor& tensor = output.type().tensor_type();
  declared.type =
      element_type_from(static_cast<uint32_t>(tensor.elem_type())).value_or(ElementType::kNone);
  if (!tensor.has_shape() || tensor.shape().dim_size() > static_cast<int>(limits::kRank))
    return declared;
  std::vector<int64_t> dims;
  for (const auto& dim : tensor.shape().dim())
    dims.push_back(dim.has_dim_value() ? std::max<int64_t>(dim.dim_value(), -1) : -1);
  declared.shape = Shape(dims);
  return declared;
}

}  // namespace

Result<ReadModel> Reader::read() {
  onnx::GraphProto& graph = *model_.mutable_graph();
  if (model_.opset_import().empty() && model_.ir_version() >= 3)
    return Error{Code::kInvalid, "the model imports no operator set"};
  versions_ = TRY(versions_of(model_.opset_import()));
  TRY(read_functions());
  ReadModel read{Graph::unshaped(), {}, {}, {}, {}};
  Frame frame(read.graph);
  TRY(add_initializers(frame, graph, elsewhere_.raw));
  for (const auto& input : graph.input()) {
    if (input.name().empty()) return Error{Code::kInvalid, "an input of the model has no name"};
    Port port = TRY(port_of(input));
    if (frame.find(input.name()).present()) {
      // Before format version 4, constants had to be inputs as well.
      if (read.graph.constant(frame.find(input.name())) != nullptr) continue;
      return Error{Code::kInvalid,
                   formatted("the model has two inputs named '{}'", name_text(input.name()))};
    }
    frame.define(input.name(), read.graph.add_input({input.name(), port.type}));
    read.inputs.push_back(std::move(port));
  }
  TRY(add_nodes(frame, *graph.mutable_node(), versions_));
  if (graph.output_size() == 0) return Error{Code::kInvalid, "the model has no output"};
  for (const auto& output : graph.output()) {
    const ValueId id = frame.find(output.name());
    if (!id.present()) {
      return Error{Code::kInvalid, formatted("output '{}' of the model is made by no node",
                                             name_text(output.name()))};
    }
    const auto same = [&](const Port& port) { return port.name == output.name(); };
    if (std::ranges::any_of(read.outputs, same)) {
      return Error{Code::kInvalid,
                   formatted("the model has two outputs named '{}'", name_text(output.name()))};
    }
    read.graph.add_output(id);
    read.outputs.push_back(TRY(port_of(output)));
  }
  if (refusals_ != nullptr && !refusals_->empty()) return refusals_->list().front();
  read.graph.remove_dead();
  read.operator_sets.assign(versions_.begin(), versions_.end());
  for (const auto& entry : model_.metadata_props())
    read.metadata.emplace_back(entry.key(), entry.value());
  return read;
}

Status Reader::read_functions() {
  for (const auto& function : model_.functions()) {
    if (!functions_.emplace(std::pair(function.domain(), function.name()), &function).second) {
      return Error{Code::kInvalid, formatted("the model defines its function '{}' twice",
                                             name_text(function.name()))};
    }
  }
  return {};
}

Result<Tensor> Reader::tensor_of(onnx::TensorProto& tensor, Bytes raw) {
  TRY(admit_tensor(tensor, elsewhere_.external, budget_, raw));
  return take_tensor(tensor, raw, elsewhere_.file_tensors);
}

Status Reader::add_initializers(Frame& frame, onnx::GraphProto& graph, std::span<const Bytes> raw) {
  if (graph.sparse_initializer_size() > 0) {
    return Error{Code::kUnsupported, "sparse initializers are not supported: export dense ones"};
  }
  for (int i = 0; i < graph.initializer_size(); ++i) {
    onnx::TensorProto& tensor = *graph.mutable_initializer(i);
    if (tensor.name().empty()) return Error{Code::kInvalid, "an initializer has no name"};
    const auto index = static_cast<size_t>(i);
    auto taken = tensor_of(tensor, index < raw.size() ? raw[index] : Bytes());
    if (!taken) {
      return Error{taken.error().code,
                   formatted("initializer '{}': {}", name_text(tensor.name()), taken.error().text)};
    }
    const ValueId id = frame.graph().add_constant(tensor.name(), *std::move(taken));
    if (!frame.define(tensor.name(), id)) {
      return Error{Code::kInvalid,
                   formatted("'{}' is the name of two initializers, or of an initializer and an "
                             "input of its graph",
                             name_text(tensor.name()))};
    }
  }
  return {};
}

Status Reader::add_nodes(Frame& frame, google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes,
                         const Versions& versions) {
  for (int i = 0; i < nodes.size(); ++i) {
    onnx::NodeProto& node = *nodes.Mutable(i);
    if (node.name().empty()) node.set_name(formatted("{} #{}", node.op_type(), i));
    std::vector<std::string> outputs;
    if (refusals_ != nullptr) outputs.assign(node.output().begin(), node.output().end());
    // A body may be read again, by the next call of its function.
    const Status added = frame.in_function() ? add_node(frame, node, versions)
                                             : add_node(frame, std::move(node), versions);
    if (!added) TRY(go_on_behind(frame, outputs, added.error()));
  }
  return {};
}

// Notes the error and has values stand for what the node would have made, if all is to be heard.
Status Reader::go_on_behind(Frame& frame, const std::vector<std::string>& outputs,
                            const Error& error) {
  if (refusals_ == nullptr || !refusals_->note(error)) return error;
  for (const std::string& name : outputs) {
    if (!name.empty()) frame.define(name, frame.graph().add_input({name, ElementType::kNone}));
  }
  return {};
}

Status Reader::add_node(Frame& frame, onnx::NodeProto node, const Versions& versions) {
  if (--nodes_left_ < 0) {
    return Error{Code::kTooLarge,
                 "the model has more than 65536 nodes, those of functions and subgraphs included"};
  }
  if (frame.depth() > kDepthMax)
    return invalid(node, "subgraphs and functions are nested too deep");
  node.set_name(frame.prefix() + node.name());
  TRY(bind_attributes(frame, node));
  if (const auto found = functions_.find({node.domain(), node.op_type()});
      found != functions_.end())
    return add_call(frame, node, *found->second);
  const std::string domain = main_domain(node.domain()) ? "" : node.domain();
  const auto version = versions.find(domain);
  if (version == versions.end()) {
    return invalid(node, formatted("its domain '{}' is not among those that the model imports",
                                   name_text(node.domain())));
  }
  const onnx::OpSchema* schema = schema_of(node.op_type(), version->second, domain);
  if (schema == nullptr) {
    return unsupported(node, formatted("operator set {} of domain '{}' has no such operator, or "
                                       "this build does not know it yet",
                                       version->second, name_text(domain)));
  }
  node.set_domain(domain);
  TRY(check_against(node, *schema));
  if (Operators::instance().find(op_of(node)) == nullptr)
    return add_schema_function(frame, node, *schema, versions);
  return add_operator(frame, node, *schema, versions);
}

// Attributes that a function's body takes from its call get their values; those that the call does
// not have are left out.
Status Reader::bind_attributes(const Frame& frame, onnx::NodeProto& node) {
  auto& attributes = *node.mutable_attribute();
  for (int i = attributes.size(); i-- > 0;) {
    onnx::AttributeProto& attribute = *attributes.Mutable(i);
    if (attribute.ref_attr_name().empty()) continue;
    if (!frame.in_function())
      return invalid(node, "refers to an attribute of a function, and is in none");
    if (const auto* bound = frame.binding(attribute.ref_attr_name())) {
      TRY(budget_.take(bound->ByteSizeLong()));
      const std::string name = attribute.name();
      attribute = *bound;
      attribute.set_name(name);
    } else {
      attributes.DeleteSubrange(i, 1);
    }
  }
  return {};
}

Result<std::vector<ValueId>> Reader::inputs_of(Frame& frame, const onnx::NodeProto& node) const {
  std::vector<ValueId> inputs;
  for (const std::string& name : node.input()) {
    inputs.push_back(name.empty() ? ValueId{} : frame.find(name));
    if (!name.empty() && !frame.knows(name)) {
      return invalid(node, formatted("reads '{}', which nothing before it makes: is the graph "
                                     "cyclic, or not in the order in which it runs?",
                                     name_text(name)));
    }
  }
  return inputs;
}

Status Reader::define_outputs(Frame& frame, const onnx::NodeProto& node, const Node& made) const {
  for (int i = 0; i < node.output_size(); ++i) {
    if (node.output(i).empty()) continue;
    if (!frame.define(node.output(i), made.outputs[static_cast<size_t>(i)]))
      return invalid(node,
                     formatted("makes '{}', which is there already", name_text(node.output(i))));
  }
  return {};
}

// What a function's body holds is there once in the file, and once in the graph for each call.
Status Reader::pay_for(const onnx::NodeProto& node, const Frame& frame) {
  uint64_t bytes = node.name().size();
  for (const std::string& name : node.output()) bytes += frame.prefix().size() + name.size();
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    bytes += attribute.s().size();
    bytes += static_cast<uint64_t>(attribute.ints_size()) * sizeof(int64_t);
    bytes += static_cast<uint64_t>(attribute.floats_size()) * sizeof(float);
    for (const std::string& text : attribute.strings()) bytes += sizeof text + text.size();
  }
  if (const Status paid = budget_.take(bytes); !paid)
    return Error{paid.error().code, formatted("{}: {}", place_of(node), paid.error().text)};
  return {};
}

Status Reader::add_operator(Frame& frame, onnx::NodeProto& node, const onnx::OpSchema& schema,
                            const Versions& versions) {
  TRY(pay_for(node, frame));
  Node made{.op = op_of(node), .name = node.name(), .since = schema.since_version(), .raw = true};
  made.inputs = TRY(inputs_of(frame, node));
  made.type_groups = type_groups(node, schema);
  for (const auto& [name, attribute] : schema.attributes()) {
    if (!attribute.default_value.has_type() || find_attribute(node, name) != nullptr) continue;
    onnx::AttributeProto copy = attribute.default_value;
    copy.set_name(name);
    TRY(set_attribute(frame, made, copy, versions));
  }
  for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
    if (made.attributes.has(attribute.name()))
      return invalid(node, formatted("attribute '{}' is there twice", name_text(attribute.name())));
    TRY(set_attribute(frame, made, attribute, versions));
  }
  std::vector<Made> outputs;
  for (const std::string& name : node.output())
    outputs.push_back({name.empty() ? "" : frame.prefix() + name, ElementType::kNone});
  if (std::ranges::all_of(outputs, &std::string::empty, &Made::name))
    return invalid(node, "makes nothing");
  frame.graph().add_node(std::move(made), std::move(outputs));
  return define_outputs(frame, node, frame.graph().nodes().back());
}

Status Reader::set_attribute(Frame& frame, Node& node, onnx::AttributeProto& attribute,
                             const Versions& versions) {
  const std::string& name = attribute.name();
  switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      node.attributes.set(name, attribute.i());
      return {};
    case onnx::AttributeProto::FLOAT:
      node.attributes.set(name, attribute.f());
      return {};
    case onnx::AttributeProto::STRING:
      node.attributes.set(name, attribute.s());
      return {};
    case onnx::AttributeProto::INTS:
      node.attributes.set(name,
                          std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end()));
      return {};
    case onnx::AttributeProto::FLOATS:
      node.attributes.set(name,
                          std::vector<float>(attribute.floats().begin(), attribute.floats().end()));
      return {};
    case onnx::AttributeProto::STRINGS:
      node.attributes.set(
          name, std::vector<std::string>(attribute.strings().begin(), attribute.strings().end()));
      return {};
    case onnx::AttributeProto::TENSOR: {
      auto tensor = tensor_of(*attribute.mutable_t());
      if (!tensor) {
        return Error{tensor.error().code,
                     formatted("{}: tensor in attribute '{}': {}", place_of(node), name_text(name),
                               tensor.error().text)};
      }
      node.attributes.set(name, *std::move(tensor));
      return {};
    }
    case onnx::AttributeProto::TENSORS: {
      std::vector<Tensor> tensors;
      for (auto& tensor : *attribute.mutable_tensors()) tensors.push_back(TRY(tensor_of(tensor)));
      node.attributes.set(name, std::move(tensors));
      return {};
    }
    case onnx::AttributeProto::GRAPH:
      return set_graph(frame, node, name, *attribute.mutable_g(), versions);
    case onnx::AttributeProto::TYPE_PROTO:
      return {};  // of an empty optional, which needs none to be empty
    default:
      return Error{Code::kUnsupported,
                   formatted("{}: attribute '{}' holds something that is not supported: sparse "
                             "tensors, or a list of graphs",
                             place_of(node), name_text(name))};
  }
}

// What a subgraph names is there once for each call of the function that it is in, too.
Status Reader::pay_for_ports(const onnx::GraphProto& graph) {
  uint64_t bytes = 0;
  for (const auto* ports : {&graph.input(), &graph.output()}) {
    for (const auto& port : *ports) bytes += sizeof(Value) + port.name().size();
  }
  return budget_.take(bytes);
}

// The subgraph becomes an attribute, what it reads from outside further inputs of the node; where
// they stand among these is the attribute "NAME.captures".
Status Reader::set_graph(Frame& frame, Node& node, const std::string& name, onnx::GraphProto& graph,
                         const Versions& versions) {
  const auto refused = [&](const Error& error) {
    return Error{error.code, formatted("{}: its subgraph: {}", place_of(node), error.text)};
  };
  if (const Status paid = pay_for_ports(graph); !paid) return refused(paid.error());
  auto made = std::make_shared<Graph>(Graph::unshaped());
  Frame inner(*made, frame);
  for (const auto& input : graph.input()) {
    const Port port = TRY(port_of(input));
    if (!inner.define(input.name(), made->add_input({input.name(), port.type}))) {
      return Error{Code::kInvalid, formatted("{}: its subgraph has two inputs '{}'", place_of(node),
                                             name_text(input.name()))};
    }
  }
  TRY(add_initializers(inner, graph));
  TRY(add_nodes(inner, *graph.mutable_node(), versions));
  for (const auto& output : graph.output()) {
    const ValueId id = inner.find(output.name());
    if (!id.present()) {
      return Error{Code::kInvalid, formatted("{}: output '{}' of its subgraph is made by no node",
                                             place_of(node), name_text(output.name()))};
    }
    made->add_output(id, declared_of(output));
  }
  std::vector<int64_t> places;
  for (const ValueId captured : inner.captures()) {
    places.push_back(static_cast<int64_t>(node.inputs.size()));
    node.inputs.push_back(captured);
  }
  node.attributes.set(name + ".captures", std::move(places));
  node.attributes.set(name, Subgraph(std::move(made)));
  return {};
}

}  // namespace casemate::engine
