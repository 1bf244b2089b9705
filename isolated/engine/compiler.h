// SPDX-License-Identifier: Apache-2.0
#pragma once
// Compiler: a general graph made ready to run for given shapes of its inputs.
//
//   general graph ─▶ plan of all that shapes decide ─▶ nodes that data decides ─▶ the rest, a graph
//                                                                                 for later shapes
//
//   Owns     what it has derived from constants; packed constants are the packer's.
//   Threads  one.
//   Trust    as specialise().
//   Fails    with the node's name and the reason.

#include "isolated/engine/passes/specialise.h"
#include "isolated/engine/plan/plan.h"

namespace casemate::engine {

struct Compiled {
  std::unique_ptr<Packer> own;  // of a plan that owns its constants
  Plan plan;
  std::vector<Fact> inputs;                          // what it was compiled for
  std::vector<ValueId> live;                         // by output of the plan: what it is
  std::vector<std::pair<ValueId, Datum>> constants;  // known, and needed later
  std::vector<size_t> ready;                         // nodes to run after the plan, in order
  std::unique_ptr<Graph> rest;                       // none: all has run by then
  std::vector<ValueId> rest_inputs;
  std::vector<ValueId> rest_outputs;

  int threads = 1;        // for how many its kernels are
  bool complete = false;  // the plan alone makes all outputs of the graph, in their order

  // Whether it was compiled for these types and shapes.
  [[nodiscard]] bool fits(const std::vector<Fact>& facts) const;
};

// What loading a model has made of its constants: what passes derived from them, and what kernels
// packed. Of tensors that live on when the file is gone.
struct Prepared {
  Derivations derivations;
  PackedForms forms;
};

// Constants below this stay as they are.
inline constexpr uint64_t kSmallConstant = 4096;

struct KeptConstant {
  Tensor constant;
  Tensor kept;
};

class Compiler final {
 public:
  enum class Code : uint8_t {
    kGenerated,  // kernels may generate machine code
    kFixed,      // only what is in the program already may run
  };
  // Requires: the packer outlives what is compiled.
  Compiler(Packer& packer, Code code, uint64_t memory_bytes_max = 4ull << 30)
      : packer_(&packer), code_(code), memory_bytes_max_(memory_bytes_max) {}
  // For shapes that are first seen while a model serves: kFixed, and what is compiled owns all that
  // it needs beyond what `before` has, so that nothing stays of it when it is dropped. Requires:
  // `before`, if there is any, outlives what is compiled.
  explicit Compiler(uint64_t memory_bytes_max, const Prepared* before = nullptr);

  // Ids in the result are of `general`, which must outlive the compiler and the result.
  Result<Compiled> compile(const Graph& general, const std::vector<Fact>& inputs) {
    return compile(general, inputs, code_);
  }
  Result<Compiled> compile(const Graph& general, const std::vector<Fact>& inputs, Code code);
  // The same for a graph as shaped() makes it, or a part of one; ids in the result mean nothing.
  Result<Compiled> compile_shaped(Graph shaped);
  // What it has derived from these constants and how they are packed, in terms of what was kept of
  // each. Requires: a packer with a store. Fails as Packer::keep().
  Status prepare(const std::vector<KeptConstant>& constants, Prepared& prepared) const;
  // For proofs about the graph: it as specialised, in canonical form. None when a part is put off.
  Result<std::optional<Graph>> shaped(const Graph& general, const std::vector<Fact>& inputs);

 private:
  Packer& packer_for(Compiled& compiled);
  Result<Plan> plan_generated(Graph& canonical, Packer& packer);
  Result<Plan> plan_own_loops(Graph& canonical, Packer& packer);
  Result<Plan> plan_fixed(Graph& graph, Packer& packer);

  Packer* packer_ = nullptr;
  const PackedForms* before_ = nullptr;
  Code code_;
  uint64_t memory_bytes_max_;
  Derivations derivations_;
};

}  // namespace casemate::engine
