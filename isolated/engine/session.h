// SPDX-License-Identifier: Apache-2.0
#pragma once
// Session: one plan with its operands bound to an arena.
//
//   Owns     what its kernels keep between runs.
//   Threads  one at a time; kernels use those of set_threads().
//   Trust    inputs may change while it runs, which spoils its results and nothing else.
//   Fails    as the kernels do.

#include <atomic>

#include "isolated/engine/plan/plan.h"

namespace casemate::engine {

// Counts steps, so that who watches can tell a slow run from a hung one.
using ProgressCounter = std::atomic<uint64_t>;

// Who wants to know of every step of a run when it is done, to time them for example.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  // A run of the plan begins.
  virtual void begin(const Plan& plan) = 0;
  // plan.steps[step] has run.
  virtual void done(const Plan& plan, size_t step) = 0;
};

class Session final {
 public:
  // Requires: plan and arena, of plan.arena_bytes, outlive it.
  static Result<Session> make(const Plan& plan, uint8_t* arena);

  // All steps, on these inputs and outputs. Requires: as bind().
  Status run(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs,
             ProgressCounter* progress);

  // The same in pieces: where inputs and outputs lie for the steps that run from here on. Requires:
  // each has at least the bytes that the plan says, and stays for as long as steps run.
  void bind(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs);
  // Steps [begin, end). Between two pieces all that a run has made so far is in the arena and in
  // the outputs: it may wait, and it may go on in another session of the plan whose arena and
  // outputs have been made equal. Requires: bind() came before; begin <= end <= step_count().
  Status run_steps(size_t begin, size_t end, ProgressCounter* progress);
  [[nodiscard]] size_t step_count() const { return steps_.size(); }

  // Has later runs observed, or, with nullptr, no longer. Requires: the observer outlives them.
  void observe(StepObserver* observer) { observer_ = observer; }

 private:
  // A step whose operands are addresses.
  struct Bound {
    const Kernel* kernel = nullptr;
    std::unique_ptr<KernelState> state;
    std::vector<uint8_t*> inputs;
    std::vector<uint8_t*> outputs;
    uint8_t* scratch = nullptr;
    uint64_t scratch_stride = 0;
  };
  // An operand in the caller's memory: its address comes with each run.
  struct Patch {
    uint8_t** operand;
    Place place;
  };

  const Plan* plan_ = nullptr;
  StepObserver* observer_ = nullptr;
  bool bound_ = false;
  std::vector<Bound> steps_;
  std::vector<Patch> patches_;
  std::vector<uint64_t> input_bytes_;  // of one run
  std::vector<uint64_t> output_bytes_;
};

}  // namespace casemate::engine
