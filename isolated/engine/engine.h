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
//   Trust    none in model files and inputs: both may be an attacker's. Weights are read-only.
//   Fails    load(): kInvalid, kUnsupported, kTooLarge with node and reason. run(): kInvalid with
//            what was expected.

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mapping.h"
#include "isolated/engine/plan/plan.h"
#include "isolated/tensors/tensors.h"
#include "wire/abi/model.h"

namespace casemate::engine {

inline constexpr int64_t kBatchMax = 1 << 20;

struct LoadOptions {
  std::string directory = {};              // where external data may lie; empty: nowhere
  uint64_t memory_bytes_max = 4ull << 30;  // constants, packed weights and arena together
  // Batch sizes to compile for where the model's batch varies. Any batch runs as a sequence of
  // these.
  std::vector<int64_t> batch_sizes = {1, 2, 4, 8};
  int threads = 1;  // kernels are compiled for this many,
  // or for fewer, as many as one run has so many operations each for; 0: never for fewer.
  uint64_t operations_per_thread = 0;
};

struct MemoryUse {
  uint64_t weight_bytes = 0;  // packed, shared by all forked processes
  uint64_t arena_bytes = 0;   // of each executor
};

class Model final {
 public:
  static Result<Model> load(Bytes onnx_file, const LoadOptions& options);

  // Makes the weights read-only for good, here and in every process forked later.
  Status seal();

  [[nodiscard]] const ModelDescription& description() const { return *description_; }
  [[nodiscard]] int threads() const { return threads_; }
  [[nodiscard]] MemoryUse memory() const;
  // The compiled plans, largest batch first: the order in which a batch is made up of them.
  [[nodiscard]] const std::vector<Plan>& plans() const { return plans_; }
  // Nodes that run on a slow reference kernel, because no fast one takes their shapes.
  [[nodiscard]] std::vector<std::string> slow_nodes() const;

 private:
  friend class Executor;
  Model() = default;

  tensors::WeightStore weights_;
  std::vector<Plan> plans_;
  std::unique_ptr<ModelDescription> description_;  // it is large
  int threads_ = 1;
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

// Counts steps, so that who watches can tell a slow run from a hung one.
using ProgressCounter = std::atomic<uint64_t>;

class Executor final {
 public:
  // Requires: the model outlives it. Call in the process that runs it, after the last fork. Fails
  // with kPlatform when the threads cannot be started.
  static Result<Executor> make(const Model& model);

  // Runs the model on `inputs`, in the order of the description. Denormals are flushed to zero in
  // the calling thread from here on. The memory behind inputs and outputs may be shared with a peer
  // who changes it meanwhile: that spoils the peer's results and nothing else.
  Status run(std::span<const TensorView> inputs, OutputSink& sink,
             ProgressCounter* progress = nullptr);

  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;
  ~Executor();

 private:
  struct Session;  // one plan with its operands bound to this executor's memory
  explicit Executor(const Model& model);

  Result<int64_t> batch_of(std::span<const TensorView> inputs) const;
  Result<std::vector<MutableBytes>> targets(OutputSink& sink, const Plan& plan,
                                            int64_t batches) const;

  const Model* model_;
  Mapping arena_;
  std::vector<Session> sessions_;  // in the order of Model::plans()
};

}  // namespace casemate::engine
