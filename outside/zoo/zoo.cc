// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/zoo.h"

#include <algorithm>

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/model_stream.h"
#include "outside/zoo/output_file.h"
#include "outside/zoo/quantise.h"

namespace casemate::zoo {
namespace {

constexpr Architecture kArchitectures[] = {
    {"lenet-5", lenet_5},
    {"alexnet", alexnet},
    {"vgg-16", vgg_16},
    {"vgg-19", vgg_19},
    {"googlenet", googlenet},
    {"inception-v3", inception_v3},
    {"resnet-18", resnet_18},
    {"resnet-50", resnet_50},
    {"resnet-152", resnet_152},
    {"squeezenet", squeezenet},
    {"densenet-121", densenet_121},
    {"densenet-201", densenet_201},
    {"mobilenet-v1", mobilenet_v1},
    {"mobilenet-v2", mobilenet_v2},
    {"yolov3-tiny", yolov3_tiny},
    {"bert-base", bert_base},
    {"gpt-2-small", gpt_2_small},
};

Port port_of(const onnx::ValueInfoProto& info) {
  const auto& tensor = info.type().tensor_type();
  std::string shape;
  for (const auto& dim : tensor.shape().dim()) {
    shape += shape.empty() ? "[" : ",";
    shape += dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value());
  }
  const bool floats = tensor.elem_type() == onnx::TensorProto::FLOAT;
  return {info.name(), floats ? "float" : "int64", shape + "]"};
}

}  // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture* find_architecture(std::string_view name) {
  const auto found = std::ranges::find(kArchitectures, name, &Architecture::name);
  return found == std::ranges::end(kArchitectures) ? nullptr : &*found;
}

Facts facts_of(const Architecture& architecture) {
  const Graph graph = architecture.build();
  Facts facts{graph.proto().doc_string(),
              graph.parameters(),
              graph.operations(),
              ModelStream(graph, 0).size(),
              {}};
  for (const auto& input : graph.proto().input()) facts.inputs.push_back(port_of(input));
  return facts;
}

Status write_model(const Architecture& architecture, uint64_t seed, const std::string& path,
                   Form form) {
  const auto graph = quantised(architecture.build(), form);
  if (!graph) {
    return Error{Code::kUnsupported,
                 formatted("{} has no such quantised form: qdq is for images, dynamic for text",
                           architecture.name)};
  }
  const ModelStream stream(*graph, seed);
  OutputFile file = TRY(OutputFile::make(path, stream.size()));
  TRY(stream.write([&](Bytes data) { return file.append(data); }));
  return file.commit();
}

}  // namespace casemate::zoo
