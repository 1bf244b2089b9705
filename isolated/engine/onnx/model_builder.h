// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: ONNX files made by hand, right or wrong in one place.
//
//   Owns     the model being built.
//   Threads  one.
//   Trust    none needed.
//   Fails    cannot.

#include <onnx/onnx_pb.h>

#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace casemate::engine {

using Dims = std::vector<int64_t>;

class ModelBuilder final {
 public:
  explicit ModelBuilder(int64_t opset = 17) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(opset);
    model.mutable_graph()->set_name("test");
  }

  // A dimension of -1 is symbolic, "N".
  void input(const std::string& name, const Dims& dims, int type = onnx::TensorProto::FLOAT) {
    port(*graph().add_input(), name, dims, type);
  }
  void output(const std::string& name, const Dims& dims, int type = onnx::TensorProto::FLOAT) {
    port(*graph().add_output(), name, dims, type);
  }
  onnx::TensorProto& floats(const std::string& name, const Dims& dims,
                            const std::vector<float>& values) {
    onnx::TensorProto& tensor = tensor_of(name, dims, onnx::TensorProto::FLOAT);
    const auto* data = static_cast<const char*>(static_cast<const void*>(values.data()));
    tensor.set_raw_data(std::string(data, values.size() * sizeof(float)));
    return tensor;
  }
  // Reproducible numbers around zero, small enough that deep sums stay near 1.
  onnx::TensorProto& noise(const std::string& name, const Dims& dims, float scale = 0.1F) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::uniform_real_distribution<float> uniform(-scale, scale);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = uniform(random_);
    return floats(name, dims, values);
  }
  onnx::TensorProto& integers(const std::string& name, const Dims& dims,
                              const std::vector<int64_t>& values) {
    onnx::TensorProto& tensor = tensor_of(name, dims, onnx::TensorProto::INT64);
    for (const int64_t value : values) tensor.add_int64_data(value);
    return tensor;
  }
  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::string& output) {
    onnx::NodeProto& made = *graph().add_node();
    made.set_op_type(op);
    made.set_name(output);
    for (const std::string& name : inputs) made.add_input(name);
    made.add_output(output);
    return made;
  }

  [[nodiscard]] onnx::GraphProto& graph() { return *model.mutable_graph(); }
  [[nodiscard]] std::string bytes() const { return model.SerializeAsString(); }

  onnx::ModelProto model;

 private:
  static void port(onnx::ValueInfoProto& info, const std::string& name, const Dims& dims,
                   int type) {
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (const int64_t dim : dims) {
      auto& added = *tensor.mutable_shape()->add_dim();
      if (dim < 0)
        added.set_dim_param("N");
      else
        added.set_dim_value(dim);
    }
  }
  onnx::TensorProto& tensor_of(const std::string& name, const Dims& dims, int type) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const int64_t dim : dims) tensor.add_dims(dim);
    return tensor;
  }

  std::mt19937 random_{7};
};

inline void set_ints(onnx::NodeProto& node, const std::string& name, const Dims& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute.add_ints(value);
}
inline void set_int(onnx::NodeProto& node, const std::string& name, int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}
inline void set_float(onnx::NodeProto& node, const std::string& name, float value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}
inline void set_text(onnx::NodeProto& node, const std::string& name, const std::string& value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

// The builder's graph, as a subgraph.
inline void set_graph(onnx::NodeProto& node, const std::string& name, const ModelBuilder& body) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::GRAPH);
  *attribute.mutable_g() = body.model.graph();
}

// A small network of the kind that we serve: [N,1,12,12] to [N,5], with everything that the passes
// fold and fuse.
inline ModelBuilder small_network() {
  ModelBuilder b;
  b.input("image", {-1, 1, 12, 12});
  b.output("probabilities", {-1, 5});
  b.noise("w1", {6, 1, 3, 3}, 0.5F);
  set_ints(b.node("Conv", {"image", "w1"}, "c1"), "pads", {1, 1, 1, 1});
  for (const char* name : {"scale", "shift", "mean"}) b.noise(name, {6}, 0.5F);
  b.floats("variance", {6}, {0.5F, 1, 2, 0.7F, 1.5F, 1});
  b.node("BatchNormalization", {"c1", "scale", "shift", "mean", "variance"}, "n1");
  b.node("Relu", {"n1"}, "r1");
  b.noise("w2", {6, 6, 3, 3}, 0.3F);
  b.noise("b2", {6});
  set_ints(b.node("Conv", {"r1", "w2", "b2"}, "c2"), "pads", {1, 1, 1, 1});
  b.node("Add", {"c2", "r1"}, "sum");
  b.node("Relu", {"sum"}, "r2");
  auto& pool = b.node("MaxPool", {"r2"}, "pool");
  set_ints(pool, "kernel_shape", {2, 2});
  set_ints(pool, "strides", {2, 2});
  set_int(b.node("Flatten", {"pool"}, "flat"), "axis", 1);
  b.noise("w3", {5, 216}, 0.2F);
  b.noise("b3", {5});
  set_int(b.node("Gemm", {"flat", "w3", "b3"}, "logits"), "transB", 1);
  b.node("Softmax", {"logits"}, "probabilities");
  return b;
}

}  // namespace casemate::engine
