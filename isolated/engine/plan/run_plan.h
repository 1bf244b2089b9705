// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: a graph planned and walked through by hand.

#include "isolated/engine/plan/plan.h"

namespace casemate::engine {

struct PlannedRun {
  std::vector<std::vector<float>> outputs;
  std::string text;
  size_t steps = 0;
  uint64_t arena_bytes = 0;
  bool inputs_intact = false;
};

// Runs the graph's first variant on FP32 inputs.
inline Result<PlannedRun> run_graph(const Graph& graph, std::vector<std::vector<float>> inputs,
                                    Layout preferred = Layout::kChannelsLast, bool fixed = false) {
  auto weights = TRY(tensors::WeightStore::make(64 << 20));
  Packer packer(weights);
  const Plan plan = TRY(make_plan(graph, 0, preferred, packer, fixed));
  // What a step must not rely on: memory that nobody wrote.
  std::vector<uint64_t> memory(plan.arena_bytes / 8 + 9, 0x7FF8BADC0FFEE0DDull);
  auto* const start = static_cast<uint8_t*>(static_cast<void*>(memory.data()));
  auto* const arena = start + (64 - std::bit_cast<uintptr_t>(start) % 64) % 64;
  PlannedRun result{
      .text = plan.text(), .steps = plan.steps.size(), .arena_bytes = plan.arena_bytes};
  const std::vector<std::vector<float>> given = inputs;
  for (const uint64_t bytes : plan.output_bytes) result.outputs.emplace_back(bytes / sizeof(float));
  const auto address = [&](const Place& place) -> uint8_t* {
    switch (place.kind) {
      case Place::Kind::kArena:
        return arena + place.offset;
      case Place::Kind::kInput:
        return static_cast<uint8_t*>(static_cast<void*>(inputs[place.index].data()));
      case Place::Kind::kOutput:
        return static_cast<uint8_t*>(static_cast<void*>(result.outputs[place.index].data()));
      default:
        return nullptr;
    }
  };
  for (const Step& step : plan.steps) {
    std::vector<uint8_t*> from;
    std::vector<uint8_t*> to;
    for (const Place& place : step.inputs) from.push_back(address(place));
    for (const Place& place : step.outputs) to.push_back(address(place));
    const auto state = TRY(step.kernel->make_state());
    TRY(step.kernel->run({from, to, address(step.scratch), state.get(), step.scratch_stride}));
  }
  result.inputs_intact = inputs == given;
  return result;
}

}  // namespace casemate::engine
