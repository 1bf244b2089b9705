// SPDX-License-Identifier: Apache-2.0
// A model in our own engine, in this process and without walls, run when asked:
//
//   casemate-perf-engine MODEL.onnx THREADS [--plan | --profile] [--unseen] [SYMBOL=EXTENT ...]
//
// Symbolic extents are 1 unless they are named; with --unseen the model is not compiled for them,
// and meets them when it first runs. Prints one line of JSON when the model is loaded
// and has run once; then, for each line "SECONDS" on its input, runs for so long, at least twice,
// and prints one line with the times of the runs. With --plan it prints what it would run, and
// ends; with --profile, how long which steps of it take.
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string_view>

#include "base/fd.h"
#include "base/mapping.h"
#include "isolated/engine/engine.h"
#include "tests/perf/engine/profile.h"
#include "tests/perf/peers/timed_runs.h"

namespace {

using namespace casemate;

constexpr int kProfiledRuns = 9;

// Memory that is kept between runs, as shared memory would be.
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

// One input and the memory behind it; tests/perf/peers/made_up.h says what is in it.
struct Input {
  std::vector<float> floats;
  std::vector<int64_t> integers;
  TensorView view;
};

Input made_up(std::string_view name, const engine::Fact& fact, std::mt19937& random) {
  Input input;
  const uint64_t count = fact.shape.element_count().value_or(0);
  if (fact.type == ElementType::kFloat32) {
    std::normal_distribution<float> normal;
    for (uint64_t i = 0; i < count; ++i) input.floats.push_back(normal(random));
    input.floats.reserve(1);
    const auto* data = static_cast<const uint8_t*>(static_cast<void*>(input.floats.data()));
    input.view = {fact.type, fact.shape, Bytes(data, count * sizeof(float))};
    return input;
  }
  const auto named = [&](std::string_view part) { return name.contains(part); };
  for (uint64_t i = 0; i < count; ++i) {
    const auto place = static_cast<int64_t>(i) % fact.shape[fact.shape.rank() - 1];
    const auto number = static_cast<int64_t>(random() % 1000);
    input.integers.push_back(named("mask")       ? 1
                             : named("position") ? place
                             : named("type")     ? number % 2
                                                 : number);
  }
  const auto* data = static_cast<const uint8_t*>(static_cast<void*>(input.integers.data()));
  input.view = {fact.type, fact.shape, Bytes(data, count * sizeof(int64_t))};
  return input;
}

struct Options {
  std::string model;
  int threads = 1;
  bool plan = false;
  bool profile = false;
  bool unseen = false;
  std::map<std::string, int64_t> symbols;
};

// The model's file, mapped: what is read of it is the kernel's memory.
Result<engine::Model> load(const Options& options) {
  const std::string folder = std::filesystem::absolute(options.model).parent_path().string();
  const Fd file(::open(options.model.c_str(), O_RDONLY | O_CLOEXEC));
  std::error_code failed;
  const auto size = std::filesystem::file_size(options.model, failed);
  if (!file.valid() || failed) return Error{Code::kNotFound, options.model + " cannot be read"};
  const Mapping bytes = TRY(Mapping::shared(file.number(), size, false));
  const auto batch = options.symbols.find("batch");
  engine::LoadOptions wanted{.directory = folder, .threads = options.threads};
  wanted.batch_sizes = {batch == options.symbols.end() ? 1 : batch->second};
  if (!options.unseen) wanted.shapes = {options.symbols};
  return engine::Model::load(bytes, wanted);
}

// The types and shapes that its inputs have; asked of another one where this was not compiled.
Result<std::vector<engine::Fact>> inputs_of(const engine::Model& model, Options options) {
  if (options.unseen) {
    options.unseen = false;
    const engine::Model compiled = TRY(load(options));
    return inputs_of(compiled, options);
  }
  if (model.compiled().empty())
    return Error{Code::kUnsupported, "it can be compiled for no shape: name more symbols"};
  return model.compiled().front().inputs;
}

Status run(const Options& options) {
  const auto begin = Clock::now();
  const engine::Model model = TRY(load(options));
  engine::Executor executor = TRY(engine::Executor::make(model));
  const double load_ms = ms_since(begin);
  if (options.plan) {
    for (const engine::Compiled& made : model.compiled())
      std::fputs(made.plan.text().c_str(), stdout);
    return {};
  }
  const std::vector<engine::Fact> facts = TRY(inputs_of(model, options));
  std::mt19937 random(1);
  std::vector<Input> inputs;
  for (size_t i = 0; i < facts.size(); ++i)
    inputs.push_back(made_up(model.description().inputs[i].name.view(), facts[i], random));
  std::vector<TensorView> views;
  for (const Input& input : inputs) views.push_back(input.view);
  KeptOutputs outputs;
  Status done = executor.run(views, outputs);
  TRY(done);
  if (options.profile) {
    Profile profile;
    executor.observe(&profile);
    for (int i = 0; i < kProfiledRuns && done; ++i) done = executor.run(views, outputs);
    std::fputs(profile.text().c_str(), stdout);
    return done;
  }
  serve_timed_runs(load_ms, [&] { done = executor.run(views, outputs); });
  return done;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t equals = word.find('=');
    if (word == "--plan") {
      options.plan = true;
    } else if (word == "--profile") {
      options.profile = true;
    } else if (word == "--unseen") {
      options.unseen = true;
    } else if (equals != word.npos && i > 2) {
      options.symbols[word.substr(0, equals)] = std::atoll(word.c_str() + equals + 1);
    } else if (i == 1) {
      options.model = word;
    } else if (i == 2 && std::atoi(argv[i]) > 0) {
      options.threads = std::atoi(argv[i]);
    } else {
      return false;
    }
  }
  return argc >= 3;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(
        "usage: casemate-perf-engine MODEL.onnx THREADS [--plan | --profile] [--unseen] "
        "[SYMBOL=EXTENT ...]\n",
        stderr);
    return 2;
  }
  const Status done = run(options);
  if (done) return 0;
  std::fprintf(stderr, "casemate-perf-engine: %s\n", done.error().text.c_str());
  return 1;
}
