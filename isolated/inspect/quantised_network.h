// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: a file as tools for quantising write it.

#include "isolated/engine/onnx/model_builder.h"

namespace casemate::inspect {

// [N,4,10,10] to [N,6]: reals made bytes by what they hold, a convolution and a product of bytes.
inline engine::ModelBuilder quantised_network() {
  engine::ModelBuilder b;
  const auto bytes = [&](const char* name, const engine::Dims& dims) {
    onnx::TensorProto& tensor = *b.graph().add_initializer();
    size_t count = 1;
    for (const int64_t dim : dims) tensor.add_dims(dim), count *= static_cast<size_t>(dim);
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT8);
    std::string values(count, '\0');
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<char>(i * 37 % 251 - 125);
    tensor.set_raw_data(std::move(values));
  };
  b.input("x", {-1, 4, 10, 10});
  b.output("y", {-1, 6});
  bytes("w1", {8, 4, 3, 3});
  bytes("w2", {8, 6});
  b.floats("small", {}, {1e-4F});
  for (const auto& [from, name] : {std::pair("x", "a"), std::pair("flat", "b")}) {
    const std::string to = name;
    if (to == "b") {
      b.node("GlobalAveragePool", {"a.scaled"}, "mean");
      engine::set_int(b.node("Flatten", {"mean"}, "flat"), "axis", 1);
    }
    onnx::NodeProto& quantise = b.node("DynamicQuantizeLinear", {from}, to + ".bytes");
    quantise.add_output(to + ".scale");
    quantise.add_output(to + ".zero");
    if (to == "a") {
      b.node("ConvInteger", {"a.bytes", "w1"}, "a.sums");
    } else {
      b.node("MatMulInteger", {"b.bytes", "w2"}, "b.sums");
    }
    engine::set_int(b.node("Cast", {to + ".sums"}, to + ".real"), "to", onnx::TensorProto::FLOAT);
    b.node("Mul", {to + ".real", "small"}, to == "b" ? "y" : "a.scaled");
  }
  return b;
}

}  // namespace casemate::inspect
