// SPDX-License-Identifier: Apache-2.0
#pragma once
// Inputs for a model of which only its ONNX file is known: floats are normally distributed;
// integers are 1 for an attention mask, count up for positions, and are random otherwise. Symbolic
// dimensions have extent 1 unless they are named.
#include <onnxruntime_cxx_api.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace made_up {

using Symbols = std::map<std::string, int64_t>;

// "SYMBOL=EXTENT" words.
inline Symbols symbols_of(int count, char** words) {
  Symbols symbols;
  for (int i = 0; i < count; ++i) {
    const std::string text = words[i];
    const size_t equals = text.find('=');
    if (equals != text.npos)
      symbols[text.substr(0, equals)] = std::atoll(text.c_str() + equals + 1);
  }
  return symbols;
}

// The memory behind an input.
struct Data {
  std::vector<int64_t> shape;
  std::vector<float> floats;
  std::vector<int64_t> integers;
};

inline Data data(const std::string& name, const Ort::ConstTensorTypeAndShapeInfo& info,
                 const Symbols& symbols, std::mt19937& random) {
  Data data;
  data.shape = info.GetShape();
  std::vector<const char*> names(data.shape.size());
  info.GetSymbolicDimensions(names.data(), names.size());
  size_t count = 1;
  for (size_t i = 0; i < names.size(); ++i) {
    if (data.shape[i] < 0) {
      const auto found = symbols.find(names[i]);
      data.shape[i] = found == symbols.end() ? 1 : found->second;
    }
    count *= static_cast<size_t>(data.shape[i]);
  }
  if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < count; ++i) data.floats.push_back(normal(random));
    data.floats.reserve(1);  // an empty tensor has an address, too
    return data;
  }
  for (size_t i = 0; i < count; ++i) {
    const auto place = static_cast<int64_t>(i % static_cast<size_t>(data.shape.back()));
    const int64_t number = static_cast<int64_t>(random() % 1000);
    data.integers.push_back(name.find("mask") != name.npos       ? 1
                            : name.find("position") != name.npos ? place
                            : name.find("type") != name.npos     ? number % 2
                                                                 : number);
  }
  return data;
}

inline Ort::Value value_of(const Ort::MemoryInfo& memory, Data& data) {
  if (data.integers.empty()) {
    return Ort::Value::CreateTensor<float>(memory, data.floats.data(), data.floats.size(),
                                           data.shape.data(), data.shape.size());
  }
  return Ort::Value::CreateTensor<int64_t>(memory, data.integers.data(), data.integers.size(),
                                           data.shape.data(), data.shape.size());
}

// Names of a session's inputs and outputs, and inputs for one run.
struct Call {
  std::vector<std::string> names;
  std::vector<const char*> inputs;
  std::vector<const char*> outputs;
  std::vector<Data> data;
  std::vector<Ort::Value> values;
};

inline Call call_of(const Ort::Session& session, const Symbols& symbols, std::mt19937& random) {
  Call call;
  Ort::AllocatorWithDefaultOptions allocator;
  const size_t inputs = session.GetInputCount();
  for (size_t i = 0; i < inputs; ++i)
    call.names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
  for (size_t i = 0; i < session.GetOutputCount(); ++i)
    call.names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  for (size_t i = 0; i < call.names.size(); ++i)
    (i < inputs ? call.inputs : call.outputs).push_back(call.names[i].c_str());
  for (size_t i = 0; i < inputs; ++i) {
    const auto type = session.GetInputTypeInfo(i);
    call.data.push_back(data(call.names[i], type.GetTensorTypeAndShapeInfo(), symbols, random));
  }
  for (Data& each : call.data) call.values.push_back(value_of(memory, each));
  return call;
}

}  // namespace made_up
