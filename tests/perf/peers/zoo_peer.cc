// SPDX-License-Identifier: Apache-2.0
// Runs a model in ONNX Runtime on two made-up inputs and prints what its outputs look like:
//
//   zoo_peer MODEL.onnx THREADS [SYMBOL=EXTENT ...]
//
// made_up.h says what they are. Prints one line of JSON for each output, with `change`, how far the
// second input's values are from the first's, relative to these, and one line with the milliseconds
// of both runs.
#include <onnxruntime_cxx_api.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "made_up.h"

namespace {

using Clock = std::chrono::steady_clock;

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

int run(const char* path, int threads, const made_up::Symbols& symbols) {
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR);
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  Ort::Session session(env, path, options);
  std::mt19937 random(1);
  std::vector<std::vector<Ort::Value>> results;
  std::vector<double> times;
  std::vector<std::string> names;
  for (int round = 0; round < 2; ++round) {
    const made_up::Call call = made_up::call_of(session, symbols, random);
    names.assign(call.outputs.begin(), call.outputs.end());
    const auto begin = Clock::now();
    results.push_back(session.Run(Ort::RunOptions{nullptr}, call.inputs.data(), call.values.data(),
                                  call.inputs.size(), call.outputs.data(), call.outputs.size()));
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  for (size_t i = 0; i < names.size(); ++i) print(names[i], results[0][i], results[1][i]);
  std::printf("{\"first_ms\": %.3f, \"second_ms\": %.3f}\n", times[0], times[1]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: zoo_peer MODEL THREADS [SYMBOL=EXTENT ...]\n", stderr);
    return 2;
  }
  try {
    return run(argv[1], std::atoi(argv[2]), made_up::symbols_of(argc - 3, argv + 3));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "zoo_peer: %s\n", error.what());
    return 1;
  }
}
