// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plan: a graph made into a list of kernel runs for one batch size, with a place for every operand.
//
//   inputs (caller's memory) ─▶ step ─▶ step ─▶ ... ─▶ outputs (caller's memory)
//                                  ╲ arena: intermediate results and scratch, reused ╱
//
// A plan is data: it can be printed and serialised (plan_data.h), and an executor does nothing but
// walk through it, as a whole or in pieces.
//
//   Owns     its kernels; packed constants belong to the weight store.
//   Threads  made by one thread without starting others; then immutable.
//   Trust    as Graph.
//   Fails    make_plan returns kUnsupported with the node's name when a node has no kernel.

#include <string>
#include <vector>

#include "isolated/engine/graph/work.h"
#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/plan/plan_data.h"

namespace casemate::engine {

struct Step {
  std::string name;  // the node's, or what the plan added
  std::string op;    // ONNX's operator; empty for what the plan added
  std::unique_ptr<Kernel> kernel;
  std::vector<Place> inputs;
  std::vector<Place> outputs;
  Place scratch;
  uint64_t scratch_stride = 0;  // from thread to thread, where each has its own
  Work work;
};

struct Plan {
  std::vector<Step> steps;
  uint64_t arena_bytes = 0;
  std::vector<uint64_t> input_bytes;  // of each of the graph's inputs
  std::vector<Shape> input_shapes;
  std::vector<ElementType> input_types;
  std::vector<uint64_t> output_bytes;
  std::vector<Shape> output_shapes;
  std::vector<ElementType> output_types;

  // All but the kernels.
  [[nodiscard]] PlanData data() const;
  // One line per step: what runs, how, from where, to where.
  [[nodiscard]] std::string text() const { return data().text(); }
  // The names of steps that run on a slow reference kernel.
  [[nodiscard]] std::vector<std::string> slow_steps() const;
};

// A plan for one variant; with `fixed` one for which no machine code is generated. An operator's
// own function may take `work_bytes_max` in between. Requires: graph.sound(); with `fixed`, a
// preferred layout without blocks.
Result<Plan> make_plan(const Graph& graph, size_t variant, Layout preferred, Packer& packer,
                       bool fixed = false, uint64_t work_bytes_max = 4ull << 30);

}  // namespace casemate::engine
