// SPDX-License-Identifier: Apache-2.0
#pragma once
// Engine: ONNX models that are loaded once, sealed, and run by forked processes.
//
//   template process                            enclave = fork of the template
//   Model::load ─ seal ─────── fork ──────────▶ Executor::make ─ run ─ run ─ ...
//   imports, optimizes, compiles, packs         starts threads; opens no file, makes no memory
//   weights; one thread, no user data           executable, allocates nothing large again
//
//   Owns     a Model its weights and compiled plans; an Executor the memory for one run at a time.
//   Threads  load() starts none, so the process can be forked. After seal() a Model may be read by
//            many threads; an Executor is used by one, and runs kernels on Model::threads() of
//            them.
//   Trust    none in model files and inputs: both may be an attacker's. Weights are read-only. A
//            file that changes while it is loaded spoils results, and one that is cut short then
//            ends the process by SIGBUS, as every mapping does; it may go when load() returns.
//   Fails    load(): kInvalid, kUnsupported, kTooLarge with node and reason. run(): kInvalid with
//            what was expected, kTooLarge beyond memory_bytes_max.

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mapping.h"
#include "isolated/engine/compiler.h"
#include "isolated/engine/session.h"
#include "isolated/tensors/tensors.h"
#include "wire/abi/model.h"

namespace casemate::engine {

class FileTensors;
struct ReadModel;

inline constexpr int64_t kBatchMax = 1 << 20;
// Below about 10 us of arithmetic each, threads wait for one another longer than they work.
inline constexpr uint64_t kOperationsPerThread = 1'000'000;

struct LoadOptions {
  std::string directory = {};              // where external data may lie; empty: nowhere
  uint64_t memory_bytes_max = 4ull << 30;  // constants, packed weights and arena together
  // Batch sizes to compile for where nothing but the model's batch varies. Any batch runs as a
  // sequence of these; where it is quicker to make it item by item, of 1 alone.
  std::vector<int64_t> batch_sizes = {1, 2, 4, 8};
  // Further sizes to compile for: what the model's symbolic extents stand for, by name; one that is
  // not named is 1. Any others are planned when they are first seen, and run slower.
  std::vector<std::map<std::string, int64_t>> shapes = {};
  int threads = 1;  // kernels are compiled for this many,
  // or for fewer, as many as a run of those shapes has so many operations each for; 0: never for
  // fewer.
  uint64_t operations_per_thread = 0;
};

struct MemoryUse {
  uint64_t weight_bytes = 0;  // packed, shared by all forked processes
  uint64_t arena_bytes = 0;   // of each executor
  // Of each executor that meets shapes that were not compiled: weights that it unpacks for them.
  uint64_t unpacked_bytes = 0;
};

class Model final {
 public:
  static Result<Model> load(Bytes onnx_file, const LoadOptions& options);
  // The same from a file's mapping, of which parts are given back as they have been packed.
  static Result<Model> load(const Mapping& onnx_file, const LoadOptions& options);

  // Makes the weights read-only for good, here and in every process forked later.
  Status seal();

  [[nodiscard]] const ModelDescription& description() const { return *description_; }
  [[nodiscard]] int threads() const { return threads_; }
  [[nodiscard]] MemoryUse memory() const;
  // What was compiled, largest batch first: the order in which a batch is made up of them.
  [[nodiscard]] const std::vector<Compiled>& compiled() const { return compiled_; }
  // One item on one thread, where several threads make a batch item by item; otherwise nullptr.
  [[nodiscard]] const Compiled* item() const { return item_ ? &*item_ : nullptr; }
  // The largest inputs that it was to be made ready for. Requires: compiled() is not empty.
  [[nodiscard]] const std::vector<Fact>& largest() const { return largest_; }
  // Nodes that run on a slow reference kernel, because no fast one takes their operator, type or
  // shapes.
  [[nodiscard]] std::vector<std::string> slow_nodes() const;

 private:
  friend class Executor;
  Model() = default;

  static Result<Model> load(Bytes onnx_file, const LoadOptions& options, FileTensors& tensors);
  static Result<Model> load_checked(Bytes onnx_file, const LoadOptions& options,
                                    FileTensors& tensors);

  Status compile_all(Compiler& compiler, const Graph& graph,
                     const std::vector<std::vector<Fact>>& shapes,
                     const std::function<int(const std::vector<Fact>&)>& threads);
  Status compile_item(Compiler& compiler, const Graph& graph);
  Status keep_graph(ReadModel& read, Compiler& compiler, Packer& packer);
  static Result<Model> check_memory(Model model);

  tensors::WeightStore weights_;
  std::vector<Compiled> compiled_;
  std::optional<Compiled> item_;
  std::vector<Fact> largest_;
  // For shapes that were not compiled; none when there can be none.
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Prepared> prepared_;             // with the graph
  std::unique_ptr<ModelDescription> description_;  // it is large
  int threads_ = 1;
  uint64_t memory_bytes_max_ = 0;
  uint64_t unpacked_bytes_ = 0;
  bool batched_ = false;  // extent 0 varies, for all inputs that vary alike, and nothing else does
  // True when a batch may be split: no item can see another, and in every output each has its rows
  // in one piece, proven on the graph.
  bool independent_ = false;
};

// Where results go. Called once per output, in the order of the description, before anything runs.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // `bytes` bytes for that output, aligned for its elements, writable until run() returns.
  virtual Result<MutableBytes> memory(size_t output, ElementType type, const Shape& shape,
                                      uint64_t bytes) = 0;
};

class Executor final {
 public:
  // Requires: the model outlives it. Call in the process that runs it, after the last fork. Fails
  // with kPlatform when the threads cannot be started.
  static Result<Executor> make(const Model& model);
  // The same in two steps: bind() before a fork, in the parent, whose children each have a copy and
  // call try_threads() before they run it.
  static Result<Executor> bind(const Model& model);
  Status try_threads() const;

  // Runs the model on `inputs`, in the order of the description. Denormals are flushed to zero in
  // the calling thread from here on. The memory behind inputs and outputs may be shared with a peer
  // who changes it meanwhile: that spoils the peer's results and nothing else.
  Status run(std::span<const TensorView> inputs, OutputSink& sink,
             ProgressCounter* progress = nullptr);
  // Has the steps of later runs observed, where a plan was compiled for their shapes; with nullptr
  // no longer. Requires: the observer outlives them.
  void observe(StepObserver* observer);

  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;
  ~Executor();

 private:
  explicit Executor(const Model& model);

  Status run_checked(std::span<const TensorView> inputs, OutputSink& sink,
                     ProgressCounter* progress);
  // What the inputs are, and the batch where that is what varies, otherwise -1.
  Result<int64_t> batch_of(std::span<const TensorView> inputs) const;
  Result<std::vector<MutableBytes>> targets(OutputSink& sink, const Plan& plan,
                                            int64_t batches) const;
  Status run_pieces(std::span<const TensorView> inputs, int64_t batch, OutputSink& sink,
                    ProgressCounter* progress);
  Status run_items(std::span<const TensorView> inputs, int64_t batch, OutputSink& sink,
                   ProgressCounter* progress);
  Status run_unplanned(std::span<const TensorView> inputs, OutputSink& sink,
                       ProgressCounter* progress);

  struct Unplanned;  // what runs shapes that were not compiled
  class Side;        // where one thread runs items

  const Model* model_;
  bool observed_ = false;
  Mapping arena_;
  std::vector<std::optional<Session>>
      sessions_;                          // as Model::compiled(); of those that are complete
  std::vector<Side> sides_;               // by thread, where items run side by side
  std::unique_ptr<Unplanned> unplanned_;  // made when first needed
};

}  // namespace casemate::engine
