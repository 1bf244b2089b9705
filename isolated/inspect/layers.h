// SPDX-License-Identifier: Apache-2.0
#pragma once
// Layers: the steps of a plan, timed, each beside the ceiling that bounds it.
//
//   Owns     values; a Stopwatch the times of all runs.
//   Threads  one.
//   Trust    names come from the model's file.
//   Fails    never.

#include <chrono>
#include <string>
#include <vector>

#include "isolated/engine/session.h"
#include "isolated/inspect/ceiling.h"
#include "isolated/inspect/options.h"

namespace casemate::inspect {

struct Layer {
  std::string name;  // of the node; of a kind: with # for each number
  std::string op;
  std::string kernel;
  uint64_t steps = 1;
  double ms = 0;  // median over the runs
  double flops = 0;
  double bytes = 0;
  // How long the ceilings would let it take: of the two, the one that bounds it; the other is 0. Of
  // several layers, the sums.
  double arithmetic_ms = 0;
  double memory_ms = 0;
  double lost_ms = 0;  // what it takes beyond that; what caches save in one is not won in another

  [[nodiscard]] double bound_ms() const { return arithmetic_ms + memory_ms; }
  [[nodiscard]] bool by_memory() const { return memory_ms > arithmetic_ms; }
  // Of the ceiling; above 1 where caches or Winograd's method save what the ceiling counts.
  [[nodiscard]] double share() const { return ms > 0 ? bound_ms() / ms : 0; }
};

// Times every step of the runs that it observes.
class Stopwatch final : public engine::StepObserver {
 public:
  void begin(const engine::Plan& plan) override;
  void done(const engine::Plan& plan, size_t step) override;

  // In the order in which they run; empty when no plan ran.
  [[nodiscard]] std::vector<Layer> layers(const Ceiling& ceiling) const;

 private:
  using Clock = std::chrono::steady_clock;

  const engine::Plan* plan_ = nullptr;
  Clock::time_point last_;
  std::vector<std::vector<double>> ms_;  // by step, by run
};

// The layers in that order; by kind, those whose names differ in numbers alone become one.
std::vector<Layer> arranged(std::vector<Layer> layers, Order order);
// All of them as one.
Layer sum_of(const std::vector<Layer>& layers);

}  // namespace casemate::inspect
