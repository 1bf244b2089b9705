// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runner: runs graphs on data of any shape. Each shape that is seen is planned once; plans are
// kept, a bounded number for each graph, and the one that was not used for longest makes room.
//
//   Owns     plans, and the memory for one run of each.
//   Threads  one.
//   Trust    none in inputs: a peer who sends ever new shapes makes it plan each time, and nothing
//            more.
//   Fails    with the node's name and the reason; kTooLarge over the limits.

#include <unordered_map>

#include "base/mapping.h"
#include "isolated/engine/compiler.h"
#include "isolated/engine/session.h"

namespace casemate::engine {

struct RunnerLimits {
  uint64_t memory_bytes_max = 4ull << 30;  // plans, and the values of a run
  uint64_t steps_max = 1ull << 26;  // of one run: nodes run by their functions, in loops each time
  size_t plans_max = 16;            // kept for each graph
};

class Runner final : public Host {
 public:
  // Requires: the compiler outlives it.
  Runner(Compiler& compiler, RunnerLimits limits, ProgressCounter* progress = nullptr)
      : compiler_(compiler), limits_(limits), progress_(progress) {}

  // The graph's outputs. Requires: the graph outlives the runner.
  Result<std::vector<Datum>> run(const Graph& graph, std::vector<Datum> inputs) override;
  Status allow(uint64_t bytes) override;
  Status hold(uint64_t before, uint64_t now) override;
  // What all plans that are kept hold.
  [[nodiscard]] uint64_t plan_bytes() const { return plan_bytes_; }
  // How many plans it has ever made.
  [[nodiscard]] uint64_t plans_made() const { return plans_made_; }
  // Counts the steps of what runs from here on.
  void report_to(ProgressCounter* progress) { progress_ = progress; }

 private:
  struct Ready {
    Compiled compiled;
    Mapping arena;
    std::optional<Session> session;
    uint64_t bytes = 0;  // that it holds
    uint64_t used_at = 0;
    bool running = false;
  };
  using Plans = std::vector<std::unique_ptr<Ready>>;
  class Running;

  static uint64_t bytes_of(const Compiled& compiled);
  bool drop_oldest(const Graph* of);
  void drop(std::unique_ptr<Ready> ready);
  void make_room(const Graph& graph, uint64_t more_bytes);
  Result<Ready*> plan_for(const Graph& graph, const std::vector<Datum>& inputs);
  Status run_plan(const Graph& graph, Ready& ready, const std::vector<Datum>& inputs,
                  std::vector<Datum>& values);
  Status run_node(const Node& node, std::vector<Datum>& values);
  Status run_rest(const Compiled& compiled, std::vector<Datum>& values);
  Result<std::vector<Datum>> run_node_by_node(const Graph& graph, std::vector<Datum> inputs);

  Compiler& compiler_;
  RunnerLimits limits_;
  ProgressCounter* progress_;
  uint64_t steps_ = 0;       // of the run at hand
  uint64_t live_bytes_ = 0;  // ditto, of values that it has made
  int depth_ = 0;            // graphs that run, each inside the one before
  uint64_t clock_ = 0;
  uint64_t plan_bytes_ = 0;
  uint64_t plans_made_ = 0;
  std::unordered_map<const Graph*, Plans> plans_;
};

}  // namespace casemate::engine
