// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/infer.h"

#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <optional>

#include "isolated/engine/onnx/operators.h"
#include "isolated/engine/onnx/ports.h"
#include "isolated/engine/onnx/tensors.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

// A tensor of shapes or axes has a few elements; anything beyond this is data.
constexpr uint64_t kKnownElementsMax = 1024;

Result<Made> fact_of(const std::string& name, const onnx::TypeProto& type, uint64_t bytes_max) {
  const auto refused = [&](Code code, std::string_view why) {
    return Error{code, std::format("value '{}' {}", name, why)};
  };
  if (!type.has_tensor_type()) return refused(Code::kUnsupported, "is no tensor");
  const auto& tensor = type.tensor_type();
  const auto element = element_type_from(static_cast<uint32_t>(tensor.elem_type()));
  if (!element || size_of(*element) == 0) {
    return refused(Code::kUnsupported, "has an element type that is not supported");
  }
  if (!tensor.has_shape()) return refused(Code::kUnsupported, "has a shape that depends on data");
  if (tensor.shape().dim_size() > static_cast<int>(limits::kRank)) {
    return refused(Code::kUnsupported, std::format("has {} dimensions, supported are at most {}",
                                                   tensor.shape().dim_size(), limits::kRank));
  }
  std::vector<int64_t> dims;
  for (const auto& dim : tensor.shape().dim()) {
    if (!dim.has_dim_value())
      return refused(Code::kUnsupported, "has a shape that depends on data");
    dims.push_back(dim.dim_value());
    // Shapes of scalars are the one empty tensor that sound models contain.
    if (dims.back() < 0 || (dims.back() == 0 && *element == ElementType::kFloat32)) {
      return refused(
          Code::kInvalid,
          std::format("would have the extent {}: is a kernel larger than its padded input, or a "
                      "dimension empty?",
                      dims.back()));
    }
  }
  const Shape shape(dims);
  const auto bytes = tensor_bytes(*element, shape);
  if (!bytes) return refused(bytes.error().code, "is too large: " + bytes.error().text);
  if (*bytes > bytes_max) {
    return refused(Code::kTooLarge,
                   std::format("would take {} bytes, the model may use {}", *bytes, bytes_max));
  }
  return Made{name, *element, {shape}};
}

// What libonnx says, without its name for the kind of error.
std::string_view reason_of(std::string_view text) {
  const size_t end = text.find("] ");
  if (text.starts_with('[') && end != text.npos) text.remove_prefix(end + 2);
  return text.substr(0, text.find('\n'));
}

onnx::TensorProto proto_of(const Tensor& tensor) {
  onnx::TensorProto proto;
  proto.set_data_type(static_cast<int>(tensor.type()));
  for (const int64_t extent : tensor.shape().dims()) proto.add_dims(extent);
  proto.set_raw_data(std::string(text_of(tensor.bytes())));
  return proto;
}

// The walk over a model's nodes for one batch size.
class Walk final {
 public:
  Walk(onnx::GraphProto& graph, int opset, int64_t batch, uint64_t bytes_max)
      : graph_(graph), opset_(opset), bytes_max_(bytes_max) {
    for (const auto& tensor : graph.initializer()) {
      data_[tensor.name()] = &tensor;
      onnx::TypeProto& type = own_types_[tensor.name()];
      type.mutable_tensor_type()->set_elem_type(tensor.data_type());
      auto& shape = *type.mutable_tensor_type()->mutable_shape();
      for (const int64_t extent : tensor.dims()) shape.add_dim()->set_dim_value(extent);
    }
    for (const auto& input : graph.input()) own_types_[input.name()] = type_of(input, batch);
    for (auto& [name, type] : own_types_) types_[name] = &type;
  }

  Status run() {
    for (const auto& input : graph_.input()) {
      facts_[input.name()] = TRY(fact_of(input.name(), *types_.at(input.name()), bytes_max_));
    }
    for (onnx::NodeProto& node : *graph_.mutable_node()) TRY(infer(node));
    return {};
  }

  std::unordered_map<std::string, Made>& facts() { return facts_; }
  std::unordered_map<std::string, Tensor>& known() { return known_; }

 private:
  Status infer(onnx::NodeProto& node) {
    const auto* schema =
        onnx::OpSchemaRegistry::Instance()->GetSchema(node.op_type(), opset_, onnx::ONNX_DOMAIN);
    onnx::shape_inference::InferenceContextImpl context(node, types_, data_, {}, {});
    try {
      schema->CheckInputOutputType(context);
      schema->GetTypeAndShapeInferenceFunction()(context);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      return invalid(node, reason_of(error.what()));
    }
    for (int i = 0; i < node.output_size(); ++i) {
      const std::string& name = node.output(i);
      const onnx::TypeProto& type = context.allOutputTypes_[static_cast<size_t>(i)];
      // Only the first outputs are ever computed; another one is refused where it is read.
      if (name.empty() || (i > 0 && type.value_case() == onnx::TypeProto::VALUE_NOT_SET)) continue;
      auto fact = fact_of(name, type, bytes_max_);
      if (!fact) return refusal(node, fact.error().code, fact.error().text);
      facts_[name] = *std::move(fact);
      own_types_[name] = type;
      types_[name] = &own_types_[name];
    }
    return evaluate(node);
  }

  // Remembers what the node makes where that is a few integers which depend on no input's data.
  Status evaluate(const onnx::NodeProto& node) {
    const Made& made = facts_.at(node.output(0));
    const uint64_t count = TRY(made.shapes[0].element_count());
    const bool integers = made.type == ElementType::kInt64 || made.type == ElementType::kInt32;
    if (!integers || count > kKnownElementsMax || node.op_type() == "Constant")
      return known_constant(node);
    Lowering one({.batch_sizes = {1}, .values = {{node.output(0), made}}}, opset_);
    for (const std::string& name : node.input()) {
      if (name.empty()) continue;
      if (const auto data = data_.find(name); data != data_.end()) {
        onnx::TensorProto copy = *data->second;
        one.define(name, one.graph().add_constant(name, TRY(take_tensor(copy))));
      } else if (node.op_type() == "Shape" && facts_.contains(name)) {
        one.define(name, one.graph().add_input(facts_.at(name)));
      } else {
        return {};
      }
    }
    // What cannot be lowered here will be refused, with its reason, when the whole graph is.
    if (!find_operator(node.op_type())(one, node)) return {};
    fold_constants(one.graph());
    if (const Tensor* tensor = one.graph().constant(one.value(node.output(0))))
      remember(node.output(0), *tensor);
    return {};
  }

  // The value of a Constant node is data for the nodes behind it.
  Status known_constant(const onnx::NodeProto& node) {
    const onnx::AttributeProto* value = find_attribute(node, "value");
    if (node.op_type() == "Constant" && value != nullptr) data_[node.output(0)] = &value->t();
    return {};
  }

  void remember(const std::string& name, const Tensor& tensor) {
    onnx::TensorProto& proto = own_data_[name];
    proto = proto_of(tensor);
    data_[name] = &proto;
    known_.insert_or_assign(name, tensor);
  }

  onnx::GraphProto& graph_;
  int opset_;
  uint64_t bytes_max_;
  std::unordered_map<std::string, onnx::TypeProto> own_types_;
  std::unordered_map<std::string, onnx::TypeProto*> types_;
  std::unordered_map<std::string, onnx::TensorProto> own_data_;
  std::unordered_map<std::string, const onnx::TensorProto*> data_;
  std::unordered_map<std::string, Made> facts_;
  std::unordered_map<std::string, Tensor> known_;
};

// Whether every value has the rank that it has for the batch sizes before: Squeeze without axes,
// for one, makes something else of a batch of 1.
Status same_ranks(const Inferred& inferred, Walk& walk) {
  for (const auto& [name, made] : walk.facts()) {
    const auto found = inferred.values.find(name);
    if (found == inferred.values.end()) continue;
    const Shape& before = found->second.shapes.front();
    if (before.rank() == made.shapes.front().rank()) continue;
    return Error{Code::kUnsupported,
                 std::format("value '{}' has the shape {} for one batch size and {} for another",
                             name, before.text(), made.shapes.front().text())};
  }
  return {};
}

// Adds what one walk found to what those before it did.
void merge(Inferred& inferred, Walk& walk) {
  const bool first = inferred.batch_sizes.size() == 1;
  for (auto& [name, made] : walk.facts()) {
    if (first) {
      inferred.values.emplace(name, std::move(made));
    } else if (const auto found = inferred.values.find(name); found != inferred.values.end()) {
      found->second.shapes.push_back(made.shapes.front());
    }
  }
  if (first) {
    inferred.constants = std::move(walk.known());
    return;
  }
  std::erase_if(inferred.constants, [&](const auto& entry) {
    const auto found = walk.known().find(entry.first);
    return found == walk.known().end() || found->second.shape() != entry.second.shape() ||
           !std::ranges::equal(found->second.bytes(), entry.second.bytes());
  });
}

Status check_outputs(const Ports& ports, Walk& walk) {
  for (const auto& output : ports.outputs) {
    const auto fact = walk.facts().find(output.name());
    if (fact != walk.facts().end()) TRY(agrees(output, fact->second.shapes.front()));
  }
  return {};
}

}  // namespace

Result<Inferred> infer_shapes(onnx::ModelProto& model, int opset,
                              const std::vector<int64_t>& batch_sizes, uint64_t value_bytes_max) {
  onnx::GraphProto& graph = *model.mutable_graph();
  const Ports ports = take_ports(graph);
  Inferred inferred;
  inferred.batched = TRY(batched(ports));
  onnx::checker::check_model(model);
  const std::vector<int64_t> sizes = inferred.batched ? batch_sizes : std::vector<int64_t>(1, 1);
  std::optional<Error> first_error;
  for (const int64_t batch : sizes) {
    Walk walk(graph, opset, batch, value_bytes_max);
    Status done = walk.run();
    if (done) done = check_outputs(ports, walk);
    if (done) done = same_ranks(inferred, walk);
    if (!done) {
      if (!first_error) first_error = std::move(done).error();
      continue;
    }
    inferred.batch_sizes.push_back(batch);
    merge(inferred, walk);
  }
  if (inferred.batch_sizes.empty()) return *std::move(first_error);
  return inferred;
}

}  // namespace casemate::engine
