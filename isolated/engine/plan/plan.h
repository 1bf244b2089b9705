// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plan: a graph made into a list of kernel runs for one batch size, with a place for every operand.
//
//   inputs (caller's memory) ─▶ step ─▶ step ─▶ ... ─▶ outputs (caller's memory)
//                                  ╲ arena: intermediate results and scratch, reused ╱
//
// A plan is data: it can be printed, and an executor does nothing but walk through it.
//
//   Owns     its kernels; packed constants belong to the weight store.
//   Threads  made by one thread without starting others; then immutable.
//   Trust    as Graph.
//   Fails    make_plan returns kUnsupported with the node's name when a node has no kernel.

#include <string>
#include <vector>

#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

// Where an operand lies.
struct Place {
  enum class Kind : uint8_t { kNone, kArena, kInput, kOutput };
  Kind kind = Kind::kNone;
  uint32_t index = 0;   // of the input or output
  uint64_t offset = 0;  // in the arena, bytes

  [[nodiscard]] std::string text() const;
};

struct Step {
  std::string name;  // the node's, or what the plan added
  std::unique_ptr<Kernel> kernel;
  std::vector<Place> inputs;
  std::vector<Place> outputs;
  Place scratch;
  uint64_t operations = 0;  // graph/work.h counts them; 0 for what the plan added
};

struct Plan {
  int64_t batch = 0;
  std::vector<Step> steps;
  uint64_t arena_bytes = 0;
  std::vector<uint64_t> input_bytes;  // of each of the graph's inputs
  std::vector<uint64_t> output_bytes;
  std::vector<Shape> output_shapes;
  std::vector<ElementType> output_types;

  // One line per step: what runs, how, from where, to where.
  [[nodiscard]] std::string text() const;
  // The names of steps that run on a slow reference kernel.
  [[nodiscard]] std::vector<std::string> slow_steps() const;
};

// A plan for one variant; with `fixed` one for which no machine code is generated. Requires:
// graph.sound(); with `fixed`, a preferred layout without blocks.
Result<Plan> make_plan(const Graph& graph, size_t variant, Layout preferred, Packer& packer,
                       bool fixed = false);

}  // namespace casemate::engine
