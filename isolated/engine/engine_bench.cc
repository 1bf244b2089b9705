// SPDX-License-Identifier: Apache-2.0
// Loads a model and times it:
//
//   engine_bench MODEL.onnx [--batch N] [--threads T] [--runs R] [--plan]
//
// Inputs are the numbers k/n for element k of n, as the ONNX project's light models are tested
// with.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include "isolated/engine/engine.h"

namespace {

using namespace casemate;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string model;
  int64_t batch = 1;
  int threads = 1;
  int runs = 100;
  bool plan = false;
};

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A sink that keeps its memory between runs, as shared memory would be.
class KeptOutputs final : public engine::OutputSink {
 public:
  Result<MutableBytes> memory(size_t output, ElementType, const Shape&, uint64_t bytes) override {
    if (kept_.size() <= output) kept_.resize(output + 1);
    kept_[output].resize(bytes / sizeof(double) + 1);
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(kept_[output].data())), bytes);
  }

 private:
  std::vector<std::vector<double>> kept_;
};

template <class T>
bool parse_number(std::string_view text, T& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{} &&
         number > 0;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--plan") {
      options.plan = true;
    } else if (word == "--batch" && parse_number(next, options.batch)) {
      ++i;
    } else if (word == "--threads" && parse_number(next, options.threads)) {
      ++i;
    } else if (word == "--runs" && parse_number(next, options.runs)) {
      ++i;
    } else if (!word.starts_with("--") && options.model.empty()) {
      options.model = word;
    } else {
      return false;
    }
  }
  return !options.model.empty();
}

// Inputs of the batch, with the memory behind them.
struct Inputs {
  std::vector<std::vector<float>> memory;
  std::vector<TensorView> views;
};

Inputs make_inputs(const ModelDescription& description, int64_t batch) {
  Inputs inputs;
  for (uint32_t i = 0; i < description.input_count; ++i) {
    Shape shape = description.inputs[i].shape();
    if (shape.rank() > 0 && shape[0] == -1) shape[0] = batch;
    const auto count = shape.element_count();
    std::vector<float> values(count ? *count : 0);
    for (size_t k = 0; k < values.size(); ++k) {
      values[k] = static_cast<float>(static_cast<double>(k) / static_cast<double>(values.size()));
    }
    inputs.memory.push_back(std::move(values));
    const auto* data =
        static_cast<const uint8_t*>(static_cast<const void*>(inputs.memory.back().data()));
    inputs.views.push_back(
        {ElementType::kFloat32, shape, Bytes(data, inputs.memory.back().size() * sizeof(float))});
  }
  return inputs;
}

Status measure(const Options& options) {
  std::ifstream file(options.model, std::ios::binary);
  if (!file) return Error{Code::kNotFound, options.model + ": cannot be opened"};
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const std::string folder = std::filesystem::absolute(options.model).parent_path().string();
  auto start = Clock::now();
  const auto model = engine::Model::load(bytes_of(std::string_view(bytes)),
                                         {.directory = folder, .threads = options.threads});
  if (!model) return model.error();
  const double load_ms = ms_since(start);
  if (options.plan) {
    for (const engine::Compiled& made : model->compiled())
      std::fputs(made.plan.text().c_str(), stdout);
  }
  for (const std::string& node : model->slow_nodes()) std::printf("slow: %s\n", node.c_str());

  start = Clock::now();
  engine::Executor executor = TRY(engine::Executor::make(*model));
  const double make_ms = ms_since(start);
  const Inputs inputs = make_inputs(model->description(), options.batch);
  KeptOutputs outputs;
  start = Clock::now();
  TRY(executor.run(inputs.views, outputs));
  const double first_ms = ms_since(start);
  std::vector<double> times;
  for (int i = 0; i < options.runs; ++i) {
    start = Clock::now();
    TRY(executor.run(inputs.views, outputs));
    times.push_back(ms_since(start));
  }
  std::ranges::sort(times);
  const engine::MemoryUse use = model->memory();
  std::printf("load %.1f ms, executor %.3f ms, first run %.3f ms\n", load_ms, make_ms, first_ms);
  std::printf("batch %ld, threads %d, runs %d: median %.4f ms, min %.4f ms\n",
              static_cast<long>(options.batch), options.threads, options.runs,
              times[times.size() / 2], times.front());
  std::printf("weights %lu bytes, arena %lu bytes\n", static_cast<unsigned long>(use.weight_bytes),
              static_cast<unsigned long>(use.arena_bytes));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs("usage: engine_bench MODEL.onnx [--batch N] [--threads T] [--runs R] [--plan]\n",
               stderr);
    return 2;
  }
  const Status done = measure(options);
  if (done) return 0;
  std::fprintf(stderr, "engine_bench: %s\n", done.error().text.c_str());
  return 1;
}
