// SPDX-License-Identifier: Apache-2.0
#pragma once
// For fuzzers: mutations of models that libFuzzer would not find. Half of them are made on the
// parsed model: a file that is well-formed and means nonsense gets further than random bytes do.
// A fuzzer includes this once; it defines LLVMFuzzerCustomMutator.

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "isolated/engine/chance_node.h"
#include "isolated/engine/operators/operators.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace casemate::engine::fuzzing {

constexpr std::array<int64_t, 16> kNumbers = {
    0, -1, 1, 2, 3, 4, 5, 7, -2, -3, 64, 65, 1 << 20, 1ll << 31, INT64_MAX, INT64_MIN};
constexpr std::array kAttributes = std::to_array<const char*>({
    "alpha",
    "auto_pad",
    "axes",
    "axis",
    "beta",
    "ceil_mode",
    "count_include_pad",
    "dilations",
    "end",
    "ends",
    "group",
    "keepdims",
    "kernel_shape",
    "noop_with_empty_axes",
    "pads",
    "perm",
    "start",
    "starts",
    "storage_order",
    "strides",
    "to",
    "training_mode",
    "transA",
    "transB",
    "value_ints",
});

// Of all that there are; names of ai.onnx stand alone.
inline std::string any_operator(size_t chance) {
  static const auto names = [] {
    std::vector<std::string> all;
    for (const auto& [name, function] : Operators::instance().all()) all.push_back(name);
    return all;
  }();
  return names[chance % names.size()];
}

class Mutator final {
 public:
  Mutator(onnx::ModelProto& model, unsigned seed)
      : model_(model), graph_(model.mutable_graph()), random_(seed) {}

  void mutate() {
    enter();
    switch (below(11)) {
      case 0:
        return with_node([&](auto& node) { node.set_op_type(any_operator(random_())); });
      case 1:
        return with_node([&](auto& node) { mutate_attribute(node); });
      case 2:
        return with_node([&](auto& node) {
          if (node.input_size() > 0) node.set_input(index(node.input_size()), any_name());
        });
      case 3:
        return with_node([&](auto& node) { node.add_input(any_name()); });
      case 4:
        return with_tensor([&](auto& tensor) { mutate_shape(tensor); });
      case 5:
        return with_tensor([&](auto& tensor) { mutate_numbers(tensor); });
      case 6:
        return mutate_input();
      case 7:
        return with_node([&](auto& node) { add_behind(node); });
      case 8:
        return with_node([&](auto& node) { node.add_output(fresh_name()); });
      case 9:
        return mutate_outputs();
      default:
        if (model_.opset_import_size() > 0)
          model_.mutable_opset_import(0)->set_version(7 + static_cast<int64_t>(below(16)));
    }
  }

 private:
  size_t below(size_t count) { return random_() % count; }
  int index(int count) { return static_cast<int>(below(static_cast<size_t>(count))); }
  int64_t number() {
    return below(4) == 0 ? kNumbers[below(kNumbers.size())] : static_cast<int64_t>(below(9)) - 2;
  }

  // Half of the time a subgraph is what changes, if there is one, or one inside of it.
  void enter() {
    graph_ = model_.mutable_graph();
    around_.clear();
    while (below(2) == 0) {
      std::vector<onnx::GraphProto*> inner;
      for (auto& node : *graph_->mutable_node()) {
        for (auto& attribute : *node.mutable_attribute()) {
          if (attribute.has_g()) inner.push_back(attribute.mutable_g());
        }
      }
      if (inner.empty()) return;
      around_.push_back(graph_);
      graph_ = inner[below(inner.size())];
    }
  }
  std::string fresh_name() { return "v" + std::to_string(random_() % 100000); }

  template <class Change>
  void with_node(Change change) {
    if (graph_->node_size() > 0) change(*graph_->mutable_node(index(graph_->node_size())));
  }
  template <class Change>
  void with_tensor(Change change) {
    if (graph_->initializer_size() > 0)
      change(*graph_->mutable_initializer(index(graph_->initializer_size())));
  }
  std::string any_name() {
    std::vector<std::string> names = {""};
    const auto add_names = [&](const onnx::GraphProto& graph) {
      for (const auto& tensor : graph.initializer()) names.push_back(tensor.name());
      for (const auto& input : graph.input()) names.push_back(input.name());
      for (const auto& node : graph.node())
        names.insert(names.end(), node.output().begin(), node.output().end());
    };
    add_names(*graph_);
    for (const onnx::GraphProto* outer : around_) add_names(*outer);
    return names[below(names.size())];
  }
  // What a subgraph makes need not be what its node takes, nor what it declares.
  void mutate_outputs() {
    auto& outputs = *graph_->mutable_output();
    if (outputs.empty() || below(3) == 0) {
      outputs.Add()->set_name(any_name());
    } else if (below(3) == 0) {
      outputs.RemoveLast();
    } else {
      auto& type = *outputs.Mutable(index(outputs.size()))->mutable_type()->mutable_tensor_type();
      if (below(3) == 0) type.set_elem_type(static_cast<int>(below(24)));
      type.mutable_shape()->add_dim()->set_dim_value(number());
    }
  }
  void mutate_attribute(onnx::NodeProto& node) {
    const bool fresh = node.attribute_size() == 0 || below(4) == 0;
    auto& attribute =
        fresh ? *node.add_attribute() : *node.mutable_attribute(index(node.attribute_size()));
    if (fresh) {
      attribute.set_name(kAttributes[below(kAttributes.size())]);
      attribute.set_type(below(2) == 0 ? onnx::AttributeProto::INT : onnx::AttributeProto::INTS);
    }
    attribute.set_i(number());
    if (attribute.ints_size() > 0 && below(2) == 0)
      attribute.set_ints(index(attribute.ints_size()), number());
    else if (attribute.ints_size() > 0 && below(3) == 0)
      attribute.mutable_ints()->RemoveLast();
    else
      attribute.add_ints(number());
    if (attribute.type() == onnx::AttributeProto::INT)
      attribute.clear_ints();
    else
      attribute.clear_i();
  }
  void mutate_shape(onnx::TensorProto& tensor) {
    if (tensor.dims_size() > 0 && below(3) > 0)
      tensor.set_dims(index(tensor.dims_size()), static_cast<int64_t>(1 + below(6)));
    else if (tensor.dims_size() > 0 && below(2) == 0)
      tensor.mutable_dims()->RemoveLast();
    else
      tensor.add_dims(static_cast<int64_t>(1 + below(3)));
    size_t count = 1;
    for (const int64_t dim : tensor.dims())
      count *= static_cast<size_t>(dim > 0 && dim < 100 ? dim : 1);
    const size_t size = tensor.data_type() == onnx::TensorProto::INT64 ? 8 : 4;
    if (count > 4096) return;
    tensor.clear_int64_data();
    tensor.clear_float_data();
    tensor.mutable_raw_data()->resize(count * size);
  }
  void mutate_numbers(onnx::TensorProto& tensor) {
    if (tensor.data_type() != onnx::TensorProto::INT64 || tensor.raw_data().size() < 8) return;
    const int64_t value = number();
    std::string& raw = *tensor.mutable_raw_data();
    const size_t at = below(raw.size() / 8) * 8;
    for (size_t i = 0; i < 8; ++i) raw[at + i] = static_cast<char>(value >> (8 * i));
  }
  void mutate_input() {
    if (graph_->input_size() == 0) return;
    auto& shape = *graph_->mutable_input(index(graph_->input_size()))
                       ->mutable_type()
                       ->mutable_tensor_type()
                       ->mutable_shape();
    if (shape.dim_size() == 0 || below(4) == 0)
      shape.add_dim()->set_dim_value(static_cast<int64_t>(below(5)));
    else if (below(4) == 0)
      shape.mutable_dim()->RemoveLast();
    else
      shape.mutable_dim(index(shape.dim_size()))->set_dim_value(number());
  }
  // A node that reads the first's output and becomes what the graph gives.
  void add_behind(onnx::NodeProto& node) {
    if (node.output_size() == 0 || graph_->output_size() == 0) return;
    const std::string read = node.output(0);
    onnx::NodeProto& added = *graph_->add_node();
    added.set_op_type(any_operator(random_()));
    added.add_input(read);
    if (below(2) == 0) added.add_input(any_name());
    added.add_output(fresh_name());
    auto& output = *graph_->mutable_output(0);
    output.set_name(added.output(0));
    auto& shape = *output.mutable_type()->mutable_tensor_type()->mutable_shape();
    shape.clear_dim();
    for (size_t i = below(5); i > 0; --i) shape.add_dim();
  }

  onnx::ModelProto& model_;
  onnx::GraphProto* graph_;                // what is changed
  std::vector<onnx::GraphProto*> around_;  // what it is inside of
  std::mt19937 random_;
};

inline void add_tensor(onnx::GraphProto& graph, const char* name,
                       std::initializer_list<int64_t> dims) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  size_t count = 1;
  for (const int64_t dim : dims) {
    tensor.add_dims(dim);
    count *= static_cast<size_t>(dim);
  }
  for (size_t i = 0; i < count; ++i) tensor.add_float_data(0.5F);
}

inline void add_node(onnx::GraphProto& graph, const char* op,
                     std::initializer_list<const char*> inputs, const char* output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  for (const char* input : inputs) node.add_input(input);
  node.add_output(output);
}

inline void add_port(onnx::ValueInfoProto& port, const char* name,
                     std::initializer_list<int64_t> dims) {
  port.set_name(name);
  auto& type = *port.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  for (const int64_t dim : dims) {
    auto& extent = *type.mutable_shape()->add_dim();
    dim < 0 ? extent.set_dim_param("n") : extent.set_dim_value(dim);
  }
}

// Where mutation begins: a small network that loads, as a corpus made of nothing has none.
inline onnx::ModelProto small_network() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("small");
  add_port(*graph.add_input(), "x", {-1, 2, 5, 5});
  add_port(*graph.add_output(), "y", {-1, 4});
  add_tensor(graph, "w", {3, 2, 3, 3});
  for (const char* name : {"scale", "shift", "mean", "variance"}) add_tensor(graph, name, {3});
  add_tensor(graph, "m", {3, 4});
  add_node(graph, "Conv", {"x", "w"}, "a");
  add_node(graph, "BatchNormalization", {"a", "scale", "shift", "mean", "variance"}, "b");
  add_node(graph, "Relu", {"b"}, "c");
  add_node(graph, "GlobalAveragePool", {"c"}, "d");
  add_node(graph, "Flatten", {"d"}, "e");
  add_node(graph, "MatMul", {"e", "m"}, "y");
  return model;
}

// The same with a subgraph: a loop as often as an input says, which keeps what it makes each time.
inline onnx::ModelProto small_loop() {
  onnx::ModelProto model = small_network();
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.clear_input();
  graph.clear_output();
  graph.clear_node();
  graph.clear_initializer();
  add_port(*graph.add_input(), "trips", {});
  graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::INT64);
  add_port(*graph.add_input(), "x", {-1, 2});
  add_port(*graph.add_output(), "y", {-1, -1, 2});
  add_node(graph, "Loop", {"trips", "", "x"}, "last");
  graph.mutable_node(0)->add_output("y");
  onnx::AttributeProto& attribute = *graph.mutable_node(0)->add_attribute();
  attribute.set_name("body");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  onnx::GraphProto& body = *attribute.mutable_g();
  body.set_name("body");
  for (const char* name : {"i", "go", "v"}) body.add_input()->set_name(name);
  add_node(body, "Add", {"v", "x"}, "next");
  body.add_output()->set_name("go");
  add_port(*body.add_output(), "next", {-1, 2});
  add_port(*body.add_output(), "next", {-1, 2});
  return model;
}

// A node of chance, of any operator, some extents of whose inputs vary, with outputs as a model
// that is served declares them.
inline onnx::ModelProto node_of_chance(unsigned seed) {
  ChanceNode chance(seed);
  std::optional<ChanceCase> made;
  for (unsigned i = 0; !made && i < 8; ++i) made = chance.make(any_operator(seed / 16 + i));
  if (!made) return small_network();
  onnx::GraphProto& graph = made->model.graph();
  std::mt19937 random(seed);
  int rank = static_cast<int>(random() % 5);
  int type = onnx::TensorProto::FLOAT;
  for (onnx::ValueInfoProto& input : *graph.mutable_input()) {
    auto& tensor = *input.mutable_type()->mutable_tensor_type();
    for (int i = 0; i < tensor.shape().dim_size(); ++i) {
      if (random() % 3 == 0)
        tensor.mutable_shape()->mutable_dim(i)->set_dim_param("d" + std::to_string(random() % 4));
    }
    if (&input != &graph.input(0) || random() % 4 == 0) continue;
    rank = tensor.shape().dim_size();
    type = tensor.elem_type();
  }
  for (onnx::ValueInfoProto& output : *graph.mutable_output()) {
    auto& tensor = *output.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    for (int i = 0; i < rank; ++i)
      tensor.mutable_shape()->add_dim()->set_dim_param("o" + std::to_string(i));
  }
  return made->model.model;
}

}  // namespace casemate::engine::fuzzing

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  using namespace casemate::engine::fuzzing;
  onnx::ModelProto model;
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  if (seed % 16 == 1) {
    model = node_of_chance(seed);
  } else if (!model.ParseFromArray(data, static_cast<int>(size)) ||
             model.graph().node_size() == 0) {
    model = seed % 4 == 1 ? small_loop() : small_network();
  }
  Mutator mutator(model, seed);
  for (unsigned i = 0; i <= seed / 2 % 3 && seed % 32 != 1; ++i) mutator.mutate();
  const std::string bytes = model.SerializeAsString();
  if (bytes.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}
