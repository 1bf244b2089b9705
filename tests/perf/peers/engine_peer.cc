// SPDX-License-Identifier: Apache-2.0
// A model in ONNX Runtime, run when asked:
//
//   engine_peer LIBRARY MODEL.onnx THREADS INPUTS [WARM.onnx]
//
// LIBRARY is the libonnxruntime to load, INPUTS what to run on (tensor_file.h). WARM is loaded and
// dropped first, so that what a process does once is not counted as loading the model. The protocol
// is that of timed_runs.h.
#define ORT_API_MANUAL_INIT
#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>

#include <cstdio>
#include <optional>
#include <stdexcept>

#include "tensor_file.h"
#include "timed_runs.h"

namespace {

namespace perf = casemate::perf;
using perf::FileTensor;

void use_library(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) throw std::runtime_error(dlerror());
  using Base = const OrtApiBase* (*)();
  const auto base = reinterpret_cast<Base>(dlsym(library, "OrtGetApiBase"));
  if (base == nullptr) throw std::runtime_error("no ONNX Runtime in it");
  Ort::InitApi(base()->GetApi(ORT_API_VERSION));
  std::printf("{\"version\": \"%s\"}\n", base()->GetVersionString());
}

Ort::Session load(Ort::Env& env, const char* model, int threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  return Ort::Session(env, model, options);
}

Ort::Value value_of(const Ort::MemoryInfo& memory, FileTensor& tensor) {
  return Ort::Value::CreateTensor(memory, tensor.data.data(), tensor.data.size(),
                                  tensor.dims.data(), tensor.dims.size(),
                                  static_cast<ONNXTensorElementDataType>(tensor.type));
}

class Call final {
 public:
  Call(Ort::Session& session, std::vector<FileTensor>& inputs) : session_(session) {
    Ort::AllocatorWithDefaultOptions allocator;
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    for (size_t i = 0; i < session.GetOutputCount(); ++i)
      outputs_.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
    for (FileTensor& input : inputs) {
      input_names_.push_back(input.name.c_str());
      values_.push_back(value_of(memory, input));
    }
    for (const std::string& name : outputs_) output_names_.push_back(name.c_str());
  }

  std::vector<Ort::Value> run() {
    return session_.Run(Ort::RunOptions{nullptr}, input_names_.data(), values_.data(),
                        values_.size(), output_names_.data(), output_names_.size());
  }

  void write(const std::string& path) {
    const std::vector<Ort::Value> results = run();
    std::ofstream out(path, std::ios::binary);
    for (size_t i = 0; i < results.size(); ++i) {
      const auto info = results[i].GetTensorTypeAndShapeInfo();
      if (info.GetElementType() != perf::kFloat) throw std::runtime_error("an output is no float");
      perf::write_tensor(out, outputs_[i], perf::kFloat, info.GetShape(),
                         static_cast<const char*>(results[i].GetTensorRawData()),
                         info.GetElementCount() * sizeof(float));
    }
  }

 private:
  Ort::Session& session_;
  std::vector<std::string> outputs_;
  std::vector<const char*> output_names_;
  std::vector<const char*> input_names_;
  std::vector<Ort::Value> values_;
};

int run(int argc, char** argv) {
  use_library(argv[1]);
  auto inputs = perf::read_tensors(argv[4]);
  if (!inputs) throw std::runtime_error(std::string(argv[4]) + " holds no tensors");
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR);
  const int threads = std::atoi(argv[3]);
  if (argc > 5) load(env, argv[5], threads);
  const auto begin = Clock::now();
  Ort::Session session = load(env, argv[2], threads);
  say_loaded(ms_since(begin));
  Call call(session, *inputs);
  serve_timed_runs([&] { call.run(); }, [&](const std::string& path) { call.write(path); });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("usage: engine_peer LIBRARY MODEL THREADS INPUTS [WARM]\n", stderr);
    return 2;
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_peer: %s\n", error.what());
    return 1;
  }
}
