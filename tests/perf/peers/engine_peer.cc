// SPDX-License-Identifier: Apache-2.0
// A model in ONNX Runtime, run when asked:
//
//   engine_peer LIBRARY MODEL.onnx THREADS [SYMBOL=EXTENT ...]
//
// LIBRARY is the libonnxruntime to load. Prints one line of JSON when the model is loaded and has
// run once; then, for each line "SECONDS" on its input, runs for so long, at least twice, and
// prints one line with the times of the runs.
#define ORT_API_MANUAL_INIT
#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "made_up.h"
#include "timed_runs.h"

namespace {

void use_library(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) throw std::runtime_error(dlerror());
  using Base = const OrtApiBase* (*)();
  const auto base = reinterpret_cast<Base>(dlsym(library, "OrtGetApiBase"));
  if (base == nullptr) throw std::runtime_error("no ONNX Runtime in it");
  Ort::InitApi(base()->GetApi(ORT_API_VERSION));
  std::printf("{\"version\": \"%s\"}\n", base()->GetVersionString());
}

int run(int argc, char** argv) {
  use_library(argv[1]);
  const auto begin = Clock::now();
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR);
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(std::atoi(argv[3]));
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  Ort::Session session(env, argv[2], options);
  const double load_ms = ms_since(begin);
  std::mt19937 random(1);
  const made_up::Call call =
      made_up::call_of(session, made_up::symbols_of(argc - 4, argv + 4), random);
  const auto once = [&] {
    session.Run(Ort::RunOptions{nullptr}, call.inputs.data(), call.values.data(),
                call.inputs.size(), call.outputs.data(), call.outputs.size());
  };
  once();
  serve_timed_runs(load_ms, once);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: engine_peer LIBRARY MODEL THREADS [SYMBOL=EXTENT ...]\n", stderr);
    return 2;
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_peer: %s\n", error.what());
    return 1;
  }
}
