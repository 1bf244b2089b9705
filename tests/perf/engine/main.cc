// SPDX-License-Identifier: Apache-2.0
// A model in our own engine, in this process and without walls, run when asked:
//
//   casemate-perf-engine MODEL.onnx THREADS [--unseen] [SYMBOL=EXTENT ...]
//
// Symbolic extents are 1 unless they are named; with --unseen the model is not compiled for them,
// and meets them when it first runs. Prints one line of JSON when the model is loaded and has run
// once; then, for each line "SECONDS" on its input, runs for so long, at least twice,
// and prints one line with the times of the runs. `casemate profile` says where the time goes.
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>

#include "base/fd.h"
#include "base/mapping.h"
#include "isolated/engine/engine.h"
#include "isolated/inspect/sample.h"
#include "tests/perf/peers/timed_runs.h"

namespace {

using namespace casemate;

struct Options {
  std::string model;
  int threads = 1;
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

// Inputs of the shapes that were asked for, which a model that was compiled for them knows.
Result<inspect::Sample> sample_of(const engine::Model& model, Options options) {
  if (options.unseen) {
    options.unseen = false;
    const engine::Model compiled = TRY(load(options));
    return sample_of(compiled, options);
  }
  if (model.compiled().empty())
    return Error{Code::kUnsupported, "it can be compiled for no shape: name more symbols"};
  return inspect::Sample::make(model);
}

Status run(const Options& options) {
  const auto begin = Clock::now();
  const engine::Model model = TRY(load(options));
  engine::Executor executor = TRY(engine::Executor::make(model));
  const double load_ms = ms_since(begin);
  const inspect::Sample sample = TRY(sample_of(model, options));
  const std::vector<TensorView> views = sample.views();
  inspect::KeptOutputs outputs;
  Status done = executor.run(views, outputs);
  TRY(done);
  serve_timed_runs(load_ms, [&] { done = executor.run(views, outputs); });
  return done;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t equals = word.find('=');
    if (word == "--unseen" && i > 2) {
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
    std::fputs("usage: casemate-perf-engine MODEL.onnx THREADS [--unseen] [SYMBOL=EXTENT ...]\n",
               stderr);
    return 2;
  }
  const Status done = run(options);
  if (done) return 0;
  std::fprintf(stderr, "casemate-perf-engine: %s\n", done.error().text.c_str());
  return 1;
}
