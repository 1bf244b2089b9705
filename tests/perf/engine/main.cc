// SPDX-License-Identifier: Apache-2.0
// A model in our own engine, in this process and without walls, run when asked:
//
//   casemate-perf-engine MODEL.onnx THREADS [--inputs FILE] [--warm FILE] [--unseen]
//                        [SYMBOL=EXTENT ...]
//
// Symbolic extents are 1 unless they are named; with --unseen the model is not compiled for them,
// and meets them when it first runs. The protocol is that of timed_runs.h, with as many
// threads as a partition would take. Inputs are made up unless a file holds them (tensor_file.h).
// What --warm names is loaded and dropped first, so that what a process does once is not counted as
// loading the model. `casemate profile` says where the time goes.
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "base/fd.h"
#include "base/mapping.h"
#include "isolated/engine/engine.h"
#include "isolated/inspect/sample.h"
#include "tests/perf/peers/tensor_file.h"
#include "tests/perf/peers/timed_runs.h"

namespace {

using namespace casemate;

// Memory that is kept between runs, as shared memory would be.
class KeptOutputs final : public engine::OutputSink {
 public:
  Result<MutableBytes> memory(size_t output, ElementType type, const Shape& shape,
                              uint64_t bytes) override {
    if (kept_.size() <= output) kept_.resize(output + 1);
    if (views_.size() <= output) views_.resize(output + 1);
    kept_[output].resize(bytes / sizeof(double) + 1);
    const MutableBytes place(static_cast<uint8_t*>(static_cast<void*>(kept_[output].data())),
                             bytes);
    views_[output] = {type, shape, place};
    return place;
  }

  // Those of the latest run.
  [[nodiscard]] const std::vector<TensorView>& views() const { return views_; }

 private:
  std::vector<std::vector<double>> kept_;
  std::vector<TensorView> views_;
};

struct Options {
  std::string model;
  std::string inputs;
  std::string warm;
  int threads = 1;
  bool unseen = false;
  std::map<std::string, int64_t> symbols;
};

// The model's file, mapped: what is read of it is the kernel's memory.
Result<engine::Model> load(const std::string& path, int threads,
                           std::vector<std::map<std::string, int64_t>> shapes) {
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  if (!file.valid() || failed) return Error{Code::kNotFound, path + " cannot be read"};
  const Mapping bytes = TRY(Mapping::shared(file.number(), size, false));
  engine::LoadOptions wanted{.directory = folder, .threads = threads};
  wanted.batch_sizes.clear();
  wanted.shapes = std::move(shapes);
  wanted.operations_per_thread = engine::kOperationsPerThread;
  return engine::Model::load(bytes, wanted);
}

// Made-up inputs of the shape that was asked for, which a model that was compiled for it knows.
Result<inspect::Sample> sample_of(const engine::Model& model, const Options& options) {
  if (!model.compiled().empty()) return inspect::Sample::make(model);
  const engine::Model compiled = TRY(load(options.model, options.threads, {options.symbols}));
  if (compiled.compiled().empty())
    return Error{Code::kUnsupported, "it can be compiled for no shape: name more symbols"};
  return inspect::Sample::make(compiled);
}

// Those of a file, in the model's order. Requires: the tensors outlive them.
Result<std::vector<TensorView>> views_of(const std::vector<perf::FileTensor>& tensors,
                                         const engine::Model& model) {
  std::vector<TensorView> views;
  for (uint32_t i = 0; i < model.description().input_count; ++i) {
    const std::string name(model.description().inputs[i].name.view());
    const perf::FileTensor* tensor = perf::tensor_named(tensors, name);
    if (tensor == nullptr) return Error{Code::kInvalid, "the file has no input '" + name + "'"};
    const auto type = element_type_from(static_cast<uint32_t>(tensor->type));
    const auto* data = static_cast<const uint8_t*>(static_cast<const void*>(tensor->data.data()));
    views.push_back({*type, Shape(tensor->dims), Bytes(data, tensor->data.size())});
  }
  return views;
}

void write_outputs(const engine::Model& model, const KeptOutputs& outputs,
                   const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (size_t i = 0; i < outputs.views().size(); ++i) {
    const TensorView& view = outputs.views()[i];
    const std::vector<int64_t> dims(view.shape.dims().begin(), view.shape.dims().end());
    perf::write_tensor(out, std::string(model.description().outputs[i].name.view()),
                       static_cast<int>(view.type), dims,
                       static_cast<const char*>(static_cast<const void*>(view.data.data())),
                       view.data.size());
  }
}

Status run(const Options& options) {
  if (!options.warm.empty()) {
    const engine::Model other = TRY(load(options.warm, options.threads, {{}}));
    (void)TRY(engine::Executor::make(other));
  }
  const auto begin = Clock::now();
  std::vector<std::map<std::string, int64_t>> shapes;
  if (!options.unseen) shapes.push_back(options.symbols);
  const engine::Model model = TRY(load(options.model, options.threads, shapes));
  engine::Executor executor = TRY(engine::Executor::make(model));
  const double load_ms = ms_since(begin);
  say_loaded(load_ms);
  std::optional<inspect::Sample> sample;
  std::vector<perf::FileTensor> tensors;
  std::vector<TensorView> views;
  if (options.inputs.empty()) {
    sample = TRY(sample_of(model, options));
    views = sample->views();
  } else {
    auto read = perf::read_tensors(options.inputs);
    if (!read) return Error{Code::kInvalid, options.inputs + " holds no tensors"};
    tensors = *std::move(read);
    views = TRY(views_of(tensors, model));
  }
  KeptOutputs outputs;
  Status done = executor.run(views, outputs);
  TRY(done);
  const auto once = [&] {
    if (done) done = executor.run(views, outputs);
  };
  serve_timed_runs(once, [&](const std::string& path) {
    once();
    write_outputs(model, outputs, path);
  });
  return done;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t equals = word.find('=');
    if (word == "--unseen") {
      options.unseen = true;
    } else if ((word == "--inputs" || word == "--warm") && i + 1 < argc) {
      (word == "--warm" ? options.warm : options.inputs) = argv[++i];
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
        "usage: casemate-perf-engine MODEL.onnx THREADS [--inputs FILE] [--warm FILE] [--unseen] "
        "[SYMBOL=EXTENT ...]\n",
        stderr);
    return 2;
  }
  const Status done = run(options);
  if (done) return 0;
  std::fprintf(stderr, "casemate-perf-engine: %s\n", done.error().text.c_str());
  return 1;
}
