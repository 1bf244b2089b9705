// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/quantise.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/bytes.h"

namespace casemate::zoo {
namespace {

// Deviations from the mean that a byte reaches, for what has two sides and for what has one.
constexpr double kReach = 5;
constexpr double kReachUp = 6;
// Drawn numbers lie within so many deviations.
constexpr double kDrawnReach = 3.5;
constexpr double kBiasDeviation = 0.1;

// One scale and zero point, by name.
struct Steps {
  std::string scale, zero;
  double step = 1;
};

template <class T>
std::string raw(T value) {
  return std::string(text_of(bytes_of(value)));
}

class Quantiser {
 public:
  explicit Quantiser(Graph graph) : graph_(std::move(graph)) {
    for (const onnx::NodeProto& node : graph_.proto().node()) {
      for (const std::string& input : node.input()) readers_[input].push_back(&node);
    }
    for (const auto& output : graph_.proto().output()) outputs_.insert(output.name());
  }

 protected:
  Graph::Tensor* weights(const std::string& name) {
    for (Graph::Tensor& tensor : graph_.tensors())
      if (tensor.head.name() == name && tensor.drawn) return &tensor;
    return nullptr;
  }
  // The only reader of a value that is no output.
  const onnx::NodeProto* only_reader(const std::string& value) const {
    const auto found = readers_.find(value);
    if (found == readers_.end() || found->second.size() != 1 || outputs_.contains(value))
      return nullptr;
    return found->second.front();
  }
  onnx::NodeProto& add(const char* op, const Names& inputs, const std::string& output) {
    onnx::NodeProto& node = *nodes_.Add();
    node.set_op_type(op);
    node.set_name(output);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }
  onnx::NodeProto& add(const onnx::NodeProto& node) { return *nodes_.Add() = node; }
  static void set_integer(onnx::NodeProto& node, const char* name, int64_t value) {
    onnx::AttributeProto& added = *node.add_attribute();
    added.set_name(name);
    added.set_type(onnx::AttributeProto::INT);
    added.set_i(value);
  }
  Graph finish(const char* form) {
    *graph_.edit().mutable_node() = std::move(nodes_);
    graph_.describe("casemate.zoo.form", form);
    return std::move(graph_);
  }

  Graph graph_;
  std::map<std::string, std::vector<const onnx::NodeProto*>> readers_;
  std::set<std::string> outputs_;
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes_;
};

bool activation(const onnx::NodeProto* node) {
  return node != nullptr && (node->op_type() == "Relu" || node->op_type() == "Clip");
}

class Qdq final : private Quantiser {
 public:
  using Quantiser::Quantiser;

  std::optional<Graph> run() {
    if (graph_.expected("input") == nullptr) return std::nullopt;
    const auto old = graph_.proto().node();
    around("input", "input", steps("input", false));
    for (const onnx::NodeProto& node : old) {
      if (folded_.contains(node.name())) continue;
      if (node.op_type() == "Constant") {
        add(node);
        continue;
      }
      layer(node);
    }
    return finish("qdq");
  }

 private:
  // A layer, and what it makes as bytes unless an activation follows, which is told with it.
  void layer(const onnx::NodeProto& node) {
    onnx::NodeProto made = node;
    std::string value = node.output(0);
    for (std::string& input : *made.mutable_input()) {
      if (const auto found = real_.find(input); found != real_.end()) input = found->second;
    }
    if (node.op_type() == "Conv" || node.op_type() == "Gemm") {
      const onnx::NodeProto* const norm = only_reader(value);
      const bool folds = norm != nullptr && norm->op_type() == "BatchNormalization";
      if (folds) {
        folded_.insert(norm->name());
        value = norm->output(0);
      }
      quantise_weights(node, made, folds ? norm : nullptr);
    }
    if (activation(only_reader(value))) {
      *made.mutable_output(0) = value;
      add(made);
      return;
    }
    const std::string plain = value + ".unquantised";
    *made.mutable_output(0) = plain;
    add(made);
    const std::string& from = node.input(0);
    const bool moves =
        node.op_type() == "MaxPool" || node.op_type() == "Flatten" || node.op_type() == "Resize";
    around(plain, value, moves ? steps_.at(from) : steps(value, activation(&node)));
  }

  // The value as bytes and back.
  void around(const std::string& plain, const std::string& value, const Steps& how) {
    steps_[value] = how;
    const std::string bytes = value + ".bytes";
    add("QuantizeLinear", {plain, how.scale, how.zero}, bytes);
    const std::string real = outputs_.contains(value) ? value : value + ".real";
    add("DequantizeLinear", {bytes, how.scale, how.zero}, real);
    real_[value] = real;
  }

  Steps steps(const std::string& value, bool one_sided) {
    const Moments* const known = graph_.expected(value);
    const Moments moments = known == nullptr ? Moments{} : *known;
    const double deviation = std::sqrt(moments.variance);
    // What comes after an activation may have passed pooling and concatenation since.
    const bool positive = one_sided || moments.mean * 2 > deviation;
    const double low = positive ? 0 : moments.mean - kReach * deviation;
    const double high = moments.mean + (positive ? kReachUp : kReach) * deviation;
    const double step = (high - low) / 255;
    const auto zero = static_cast<uint8_t>(std::clamp(-low / step + 0.5, 0.0, 255.0));
    const Steps made{value + ".scale", value + ".zero", step};
    graph_.fixed(made.scale, {}, onnx::TensorProto::FLOAT, raw(static_cast<float>(step)));
    graph_.fixed(made.zero, {}, onnx::TensorProto::UINT8, raw(zero));
    return made;
  }

  // Weights as signed bytes, of a deviation that makes what the normalisation made, and a bias.
  void quantise_weights(const onnx::NodeProto& node, onnx::NodeProto& made,
                        const onnx::NodeProto* norm) {
    Graph::Tensor* const tensor = weights(node.input(1));
    if (tensor == nullptr) return;
    const Moments* const after = norm == nullptr ? nullptr : graph_.expected(norm->output(0));
    if (after != nullptr) tensor->draw.deviation *= std::sqrt(after->variance);
    const double step = kDrawnReach * tensor->draw.deviation / 127;
    const int64_t outputs = tensor->head.dims(0);
    tensor->head.set_data_type(onnx::TensorProto::INT8);
    tensor->quantum = step;
    for (int i = 1; norm != nullptr && i < norm->input_size(); ++i) graph_.drop(norm->input(i));
    const std::string& name = node.input(1);
    // A scale for each output, although random weights are all alike.
    dequantise(name, step, outputs, onnx::TensorProto::INT8);
    made.set_input(1, name + ".real");
    const double bias_step = steps_.at(node.input(0)).step * step;
    const std::string bias = node.input_size() > 2 ? node.input(2) : node.name() + ".bias";
    if (node.input_size() < 3) {
      graph_.weight(bias, {outputs}, {0, kBiasDeviation});
      made.add_input("");
    }
    Graph::Tensor* const added = weights(bias);
    added->head.set_data_type(onnx::TensorProto::INT32);
    added->quantum = bias_step;
    dequantise(bias, bias_step, outputs, onnx::TensorProto::INT32);
    made.set_input(2, bias + ".real");
  }

  void dequantise(const std::string& name, double step, int64_t outputs, int type) {
    std::string scales;
    std::string zeros;
    for (int64_t i = 0; i < outputs; ++i) {
      scales += raw(static_cast<float>(step));
      zeros += type == onnx::TensorProto::INT8 ? raw(int8_t{0}) : raw(int32_t{0});
    }
    graph_.fixed(name + ".scale", {outputs}, onnx::TensorProto::FLOAT, scales);
    graph_.fixed(name + ".zero", {outputs}, type, zeros);
    set_integer(add("DequantizeLinear", {name, name + ".scale", name + ".zero"}, name + ".real"),
                "axis", 0);
  }

  std::set<std::string> folded_;             // normalisations, by name
  std::map<std::string, Steps> steps_;       // of values as bytes
  std::map<std::string, std::string> real_;  // what reads a value reads this
};

class Dynamic final : private Quantiser {
 public:
  using Quantiser::Quantiser;

  std::optional<Graph> run() {
    bool any = false;
    const auto old = graph_.proto().node();
    for (const onnx::NodeProto& node : old) {
      Graph::Tensor* const tensor = node.op_type() == "MatMul" ? weights(node.input(1)) : nullptr;
      if (tensor == nullptr || tensor->head.dims_size() != 2) {
        add(node);
        continue;
      }
      any = true;
      product(node, *tensor);
    }
    if (!any) return std::nullopt;
    return finish("dynamic");
  }

 private:
  void product(const onnx::NodeProto& node, Graph::Tensor& tensor) {
    const std::string& x = node.input(0);
    if (quantised_.insert(x).second) {
      onnx::NodeProto& quantise = add("DynamicQuantizeLinear", {x}, x + ".bytes");
      quantise.add_output(x + ".scale");
      quantise.add_output(x + ".zero");
    }
    const double step = kDrawnReach * tensor.draw.deviation / 127;
    const std::string weight = node.input(1);
    tensor.head.set_data_type(onnx::TensorProto::INT8);
    tensor.quantum = step;
    graph_.fixed(weight + ".scale", {}, onnx::TensorProto::FLOAT, raw(static_cast<float>(step)));
    graph_.fixed(weight + ".zero", {}, onnx::TensorProto::INT8, raw(int8_t{0}));
    const std::string& y = node.output(0);
    add("Mul", {x + ".scale", weight + ".scale"}, y + ".scale");
    add("MatMulInteger", {x + ".bytes", weight, x + ".zero", weight + ".zero"}, y + ".sums");
    set_integer(add("Cast", {y + ".sums"}, y + ".cast"), "to", onnx::TensorProto::FLOAT);
    add("Mul", {y + ".cast", y + ".scale"}, y);
  }

  std::set<std::string> quantised_;
};

}  // namespace

std::optional<Graph> quantised(Graph graph, Form form) {
  if (form == Form::kQdq) return Qdq(std::move(graph)).run();
  if (form == Form::kDynamic) return Dynamic(std::move(graph)).run();
  return graph;
}

}  // namespace casemate::zoo
