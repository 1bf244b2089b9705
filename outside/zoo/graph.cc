// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/graph.h"

#include <bit>

#include "base/bytes.h"

namespace casemate::zoo {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

template <class Number>
std::string raw(const std::vector<Number>& values) {
  std::string bytes;
  for (const Number value : values) bytes += text_of(bytes_of(value));
  return bytes;
}

void set_port(onnx::ValueInfoProto& port, const std::string& name, const std::vector<Dim>& dims,
              int type) {
  port.set_name(name);
  auto& tensor = *port.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  for (const Dim& dim : dims) {
    auto& added = *tensor.mutable_shape()->add_dim();
    if (dim.symbol.empty()) {
      added.set_dim_value(dim.extent);
    } else {
      added.set_dim_param(dim.symbol);
    }
  }
}

}  // namespace

onnx::AttributeProto& Node::attribute(const char* name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& added = *proto_.add_attribute();
  added.set_name(name);
  added.set_type(type);
  return added;
}

Node& Node::integer(const char* name, int64_t value) {
  attribute(name, onnx::AttributeProto::INT).set_i(value);
  return *this;
}

Node& Node::integers(const char* name, const Extents& values) {
  auto& list = *attribute(name, onnx::AttributeProto::INTS).mutable_ints();
  list.Add(values.begin(), values.end());
  return *this;
}

Node& Node::real(const char* name, float value) {
  attribute(name, onnx::AttributeProto::FLOAT).set_f(value);
  return *this;
}

Node& Node::text(const char* name, const char* value) {
  attribute(name, onnx::AttributeProto::STRING).set_s(value);
  return *this;
}

Node& Node::output(const std::string& name) {
  proto_.add_output(name);
  return *this;
}

uint64_t Graph::Tensor::elements() const {
  uint64_t count = 1;
  for (const int64_t extent : head.dims()) count *= static_cast<uint64_t>(extent);
  return count;
}

uint64_t Graph::Tensor::data_bytes() const {
  const bool byte = head.data_type() == onnx::TensorProto::INT8;
  return elements() * (byte ? sizeof(int8_t) : sizeof(float));
}

Graph::Graph(const std::string& name, const std::string& paper) {
  proto_.set_name(name);
  proto_.set_doc_string(paper);
}

std::string Graph::input(const std::string& name, const std::vector<Dim>& dims, int type) {
  set_port(*proto_.add_input(), name, dims, type);
  return name;
}

void Graph::output(const std::string& value, const std::string& name,
                   const std::vector<Dim>& dims) {
  set_port(*proto_.add_output(), name, dims, onnx::TensorProto::FLOAT);
  const auto rename = [&](auto& names) {
    for (std::string& used : names)
      if (used == value) used = name;
  };
  if (const auto found = moments_.find(value); found != moments_.end())
    moments_[name] = found->second;
  for (onnx::NodeProto& node : *proto_.mutable_node()) {
    rename(*node.mutable_input());
    rename(*node.mutable_output());
  }
}

Graph::Tensor& Graph::tensor(const std::string& name, const Extents& shape, int type) {
  Tensor& added = tensors_.emplace_back();
  added.head.set_name(name);
  added.head.set_data_type(type);
  added.head.mutable_dims()->Add(shape.begin(), shape.end());
  return added;
}

std::string Graph::weight(const std::string& name, const Extents& shape, const Draw& draw) {
  statistic(name, shape, draw);
  parameters_ += tensors_.back().elements();
  return name;
}

std::string Graph::statistic(const std::string& name, const Extents& shape, const Draw& draw) {
  tensor(name, shape, onnx::TensorProto::FLOAT).draw = draw;
  return name;
}

std::string Graph::buffer(const std::string& name, const Extents& shape, const Extents& values) {
  Tensor& added = tensor(name, shape, onnx::TensorProto::INT64);
  added.head.set_raw_data(raw(values));
  added.drawn = false;
  return name;
}

std::string Graph::mask(const std::string& name, const Extents& shape, const std::string& bytes) {
  Tensor& added = tensor(name, shape, onnx::TensorProto::BOOL);
  added.head.set_raw_data(bytes);
  added.drawn = false;
  return name;
}

std::string Graph::fixed(const std::string& name, const Extents& shape, int type,
                         const std::string& bytes) {
  Tensor& added = tensor(name, shape, type);
  added.head.set_raw_data(bytes);
  added.drawn = false;
  return name;
}

void Graph::drop(const std::string& name) {
  std::erase_if(tensors_, [&](const Tensor& tensor) { return tensor.head.name() == name; });
}

const Moments* Graph::expected(const std::string& value) const {
  const auto found = moments_.find(value);
  return found == moments_.end() ? nullptr : &found->second;
}

onnx::TensorProto& Graph::constant(const std::string& name, int type, std::string_view bytes) {
  node("Constant", {}, name);
  onnx::AttributeProto& value = *proto_.mutable_node()->rbegin()->add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  value.mutable_t()->set_data_type(type);
  value.mutable_t()->set_raw_data(bytes.data(), bytes.size());
  return *value.mutable_t();
}

std::string Graph::scalar(const std::string& name, float value) {
  constant(name, onnx::TensorProto::FLOAT, text_of(bytes_of(value)));
  return name;
}

std::string Graph::scalar(const std::string& name, int64_t value) {
  constant(name, onnx::TensorProto::INT64, text_of(bytes_of(value)));
  return name;
}

std::string Graph::list(const std::string& name, const std::vector<float>& values) {
  constant(name, onnx::TensorProto::FLOAT, raw(values))
      .add_dims(static_cast<int64_t>(values.size()));
  return name;
}

std::string Graph::list(const std::string& name, const Extents& values) {
  constant(name, onnx::TensorProto::INT64, raw(values))
      .add_dims(static_cast<int64_t>(values.size()));
  return name;
}

Node Graph::node(const char* op, const Names& inputs, const std::string& name) {
  onnx::NodeProto& added = *proto_.add_node();
  added.set_op_type(op);
  added.set_name(name);
  for (const std::string& input : inputs) added.add_input(input);
  added.add_output(name);
  return Node(added);
}

}  // namespace casemate::zoo
