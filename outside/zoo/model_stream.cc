// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/model_stream.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace casemate::zoo {
namespace {

// LayerNormalization came with operator set 17; format 8 is what exporters write with it.
constexpr int64_t kOpset = 17;
constexpr int64_t kFormat = 8;

// Of what comes out for a seed: another number whenever a change here changes weights or graphs.
constexpr const char* kRevision = "1";

// So many elements are drawn at once, or one centred run where that is longer.
constexpr uint64_t kBlock = 1 << 16;

// The tag and the length of a field that holds a message, or bytes.
std::string field(int number, uint64_t length) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.WriteTag(static_cast<uint32_t>(number) << 3 | 2);  // wire type 2: a length goes before it
  coded.WriteVarint64(length);
  coded.Trim();
  return bytes;
}

std::string head_of_tensor(const Graph::Tensor& tensor, uint64_t& data_bytes) {
  std::string head = tensor.head.SerializeAsString();
  data_bytes = 0;
  if (tensor.drawn) {
    data_bytes = tensor.data_bytes();
    head += field(onnx::TensorProto::kRawDataFieldNumber, data_bytes);
  }
  return field(onnx::GraphProto::kInitializerFieldNumber, head.size() + data_bytes) + head;
}

std::string tail_of_model(const Graph& graph, uint64_t seed) {
  onnx::ModelProto model;
  model.add_opset_import()->set_version(kOpset);
  const auto describe = [&](const std::string& key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  };
  for (const auto& [key, value] : graph.properties()) describe(key, value);
  describe("casemate.zoo.architecture", graph.proto().name());
  describe("casemate.zoo.paper", graph.proto().doc_string());
  describe("casemate.zoo.parameters", std::to_string(graph.parameters()));
  describe("casemate.zoo.seed", std::to_string(seed));
  return model.SerializeAsString();
}

Bytes view(std::string_view text) { return bytes_of(text); }

// The numbers as whole steps, the same on every machine; symmetric, as weights are quantised.
template <class T>
std::string in_steps(const std::vector<float>& values, double step) {
  constexpr double kMost = std::numeric_limits<T>::max();
  std::string bytes;
  for (const float value : values) {
    const double whole = std::nearbyint(static_cast<double>(value) / step);
    const T number = static_cast<T>(std::clamp(whole, -kMost, kMost));
    bytes += text_of(bytes_of(number));
  }
  return bytes;
}

}  // namespace

ModelStream::ModelStream(const Graph& graph, uint64_t seed) : graph_(graph), seed_(seed) {
  onnx::GraphProto front;
  *front.mutable_node() = graph.proto().node();
  front.set_name(graph.proto().name());
  nodes_ = front.SerializeAsString();
  onnx::GraphProto back = graph.proto();
  back.clear_node();
  back.clear_name();
  ports_ = back.SerializeAsString();

  uint64_t graph_bytes = nodes_.size() + ports_.size();
  for (const Graph::Tensor& tensor : graph.tensors()) {
    uint64_t data_bytes = 0;
    tensors_.push_back(head_of_tensor(tensor, data_bytes));
    graph_bytes += tensors_.back().size() + data_bytes;
  }
  onnx::ModelProto model;
  model.set_ir_version(kFormat);
  model.set_producer_name("casemate");
  model.set_producer_version(kRevision);
  model.set_doc_string(graph.proto().doc_string() + "; random weights of seed " +
                       std::to_string(seed));
  head_ = model.SerializeAsString() + field(onnx::ModelProto::kGraphFieldNumber, graph_bytes);
  tail_ = tail_of_model(graph, seed);
}

uint64_t ModelStream::size() const {
  uint64_t bytes = head_.size() + nodes_.size() + ports_.size() + tail_.size();
  for (const std::string& tensor : tensors_) bytes += tensor.size();
  for (const Graph::Tensor& tensor : graph_.tensors())
    bytes += tensor.drawn ? tensor.data_bytes() : 0;
  return bytes;
}

Status ModelStream::write(const Sink& sink) const {
  TRY(sink(view(head_)));
  TRY(sink(view(nodes_)));
  for (size_t i = 0; i < tensors_.size(); ++i) {
    TRY(sink(view(tensors_[i])));
    if (graph_.tensors()[i].drawn) TRY(write_drawn(graph_.tensors()[i], sink));
  }
  TRY(sink(view(ports_)));
  return sink(view(tail_));
}

Status ModelStream::write_drawn(const Graph::Tensor& tensor, const Sink& sink) const {
  const NumberStream numbers(seed_, tensor.head.name());
  const uint64_t run = std::max<uint64_t>(1, tensor.draw.centred_run);
  const uint64_t block = std::max(kBlock / run, uint64_t{1}) * run;
  const uint64_t count = tensor.elements();
  std::vector<float> values(std::min(block, count));
  for (uint64_t first = 0; first < count; first += values.size()) {
    values.resize(std::min(block, count - first));
    numbers.fill(tensor.draw, first, values);
    if (tensor.quantum == 0) {
      const auto* bytes = static_cast<const uint8_t*>(static_cast<const void*>(values.data()));
      TRY(sink({bytes, values.size() * sizeof(float)}));
    } else if (tensor.head.data_type() == onnx::TensorProto::INT8) {
      TRY(sink(view(in_steps<int8_t>(values, tensor.quantum))));
    } else {
      TRY(sink(view(in_steps<int32_t>(values, tensor.quantum))));
    }
  }
  return {};
}

}  // namespace casemate::zoo
