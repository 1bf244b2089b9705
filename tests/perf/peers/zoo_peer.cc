// SPDX-License-Identifier: Apache-2.0
// Runs a model in ONNX Runtime on two made-up inputs and prints what its outputs look like:
//
//   zoo_peer MODEL.onnx THREADS [SYMBOL=EXTENT ...]
//
// Symbolic dimensions have extent 1 unless SYMBOL=EXTENT says otherwise. Floats are normally
// distributed; integers are 1 for an attention mask, count up for positions, and are random
// otherwise. Prints one line of JSON for each output, with `change`, how far the second input's
// values are from the first's, relative to these, and one line with the milliseconds of both runs.
#include <onnxruntime_cxx_api.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Symbols = std::map<std::string, int64_t>;

// The memory behind an input.
struct Data {
  std::vector<int64_t> shape;
  std::vector<float> floats;
  std::vector<int64_t> integers;
};

size_t elements(const std::vector<int64_t>& shape) {
  size_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
  return count;
}

Data made_up(const std::string& name, const Ort::ConstTensorTypeAndShapeInfo& info,
             const Symbols& symbols, std::mt19937& random) {
  Data data;
  data.shape = info.GetShape();
  std::vector<const char*> names(data.shape.size());
  info.GetSymbolicDimensions(names.data(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    if (data.shape[i] >= 0) continue;
    const auto found = symbols.find(names[i]);
    data.shape[i] = found == symbols.end() ? 1 : found->second;
  }
  const size_t count = elements(data.shape);
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

Ort::Value value_of(const Ort::MemoryInfo& memory, Data& data) {
  if (data.integers.empty()) {
    return Ort::Value::CreateTensor<float>(memory, data.floats.data(), data.floats.size(),
                                           data.shape.data(), data.shape.size());
  }
  return Ort::Value::CreateTensor<int64_t>(memory, data.integers.data(), data.integers.size(),
                                           data.shape.data(), data.shape.size());
}

void print(const std::string& name, const Ort::Value& first, const Ort::Value& second) {
  const size_t count = first.GetTensorTypeAndShapeInfo().GetElementCount();
  const float* a = first.GetTensorData<float>();
  const float* b = second.GetTensorData<float>();
  double sum = 0;
  double square = 0;
  double apart = 0;
  bool finite = true;
  for (size_t i = 0; i < count; ++i) {
    finite = finite && std::isfinite(a[i]) && std::isfinite(b[i]);
    sum += a[i];
    square += static_cast<double>(a[i]) * a[i];
    apart += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  }
  const double n = static_cast<double>(count);
  const double mean = sum / n;
  std::string shape;
  for (const int64_t extent : first.GetTensorTypeAndShapeInfo().GetShape())
    shape += (shape.empty() ? "" : ",") + std::to_string(extent);
  std::printf(
      "{\"output\": \"%s\", \"shape\": [%s], \"finite\": %s, \"mean\": %.6g, \"deviation\": %.6g, "
      "\"change\": %.4g}\n",
      name.c_str(), shape.c_str(), finite ? "true" : "false", mean,
      std::sqrt(square / n - mean * mean), std::sqrt(apart / square));
}

int run(const char* path, int threads, const Symbols& symbols) {
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR);
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  Ort::Session session(env, path, options);
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<std::string> input_names;
  std::vector<std::string> output_names;
  for (size_t i = 0; i < session.GetInputCount(); ++i)
    input_names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
  for (size_t i = 0; i < session.GetOutputCount(); ++i)
    output_names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  std::vector<const char*> ins;
  std::vector<const char*> outs;
  for (const std::string& name : input_names) ins.push_back(name.c_str());
  for (const std::string& name : output_names) outs.push_back(name.c_str());

  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  std::mt19937 random(1);
  std::vector<std::vector<Ort::Value>> results;
  std::vector<double> times;
  for (int round = 0; round < 2; ++round) {
    std::vector<Data> data;
    std::vector<Ort::Value> values;
    for (size_t i = 0; i < ins.size(); ++i) {
      const auto type = session.GetInputTypeInfo(i);
      data.push_back(made_up(input_names[i], type.GetTensorTypeAndShapeInfo(), symbols, random));
    }
    for (Data& each : data) values.push_back(value_of(memory, each));
    const auto begin = Clock::now();
    results.push_back(session.Run(Ort::RunOptions{nullptr}, ins.data(), values.data(), ins.size(),
                                  outs.data(), outs.size()));
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  for (size_t i = 0; i < outs.size(); ++i) print(output_names[i], results[0][i], results[1][i]);
  std::printf("{\"first_ms\": %.3f, \"second_ms\": %.3f}\n", times[0], times[1]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: zoo_peer MODEL THREADS [SYMBOL=EXTENT ...]\n", stderr);
    return 2;
  }
  Symbols symbols;
  for (int i = 3; i < argc; ++i) {
    const std::string text = argv[i];
    const size_t equals = text.find('=');
    if (equals != text.npos)
      symbols[text.substr(0, equals)] = std::atoll(text.c_str() + equals + 1);
  }
  try {
    return run(argv[1], std::atoi(argv[2]), symbols);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "zoo_peer: %s\n", error.what());
    return 1;
  }
}
