// SPDX-License-Identifier: Apache-2.0
// Runs a model in ONNX Runtime on many inputs, one after another:
//
//   onnxruntime_peer MODEL.onnx INPUTS.f32 OUTPUTS.f32 THREADS DIM...
//
// INPUTS are float32 tensors of shape DIM... back to back, OUTPUTS the first output of each. Prints
// one line of JSON: milliseconds per run (median and 99th percentile).
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::vector<float> read_floats(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

int run(char** argv, int argc) {
  std::vector<int64_t> shape;
  for (int i = 5; i < argc; ++i) shape.push_back(std::atoll(argv[i]));
  const size_t count = static_cast<size_t>(
      std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  std::vector<float> inputs = read_floats(argv[2]);
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR);
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(std::atoi(argv[4]));
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  Ort::Session session(env, argv[1], options);
  Ort::AllocatorWithDefaultOptions allocator;
  const auto input = session.GetInputNameAllocated(0, allocator);
  const auto output = session.GetOutputNameAllocated(0, allocator);
  const char* input_names[] = {input.get()};
  const char* output_names[] = {output.get()};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  std::ofstream out(argv[3], std::ios::binary);
  std::vector<double> times;
  for (size_t at = 0; at + count <= inputs.size(); at += count) {
    const auto begin = Clock::now();
    const auto tensor = Ort::Value::CreateTensor<float>(memory, inputs.data() + at, count,
                                                        shape.data(), shape.size());
    const auto results =
        session.Run(Ort::RunOptions{nullptr}, input_names, &tensor, 1, output_names, 1);
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    const auto size = results[0].GetTensorTypeAndShapeInfo().GetElementCount() * sizeof(float);
    out.write(reinterpret_cast<const char*>(results[0].GetTensorData<float>()),
              static_cast<std::streamsize>(size));
  }
  std::ranges::sort(times);
  std::printf("{\"runs\": %zu, \"median_ms\": %.4f, \"p99_ms\": %.4f}\n", times.size(),
              times[times.size() / 2], times[times.size() * 99 / 100]);
  return out.good() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fputs("usage: onnxruntime_peer MODEL INPUTS.f32 OUTPUTS.f32 THREADS DIM...\n", stderr);
    return 2;
  }
  try {
    return run(argv, argc);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "onnxruntime_peer: %s\n", error.what());
    return 1;
  }
}
