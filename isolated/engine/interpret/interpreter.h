// SPDX-License-Identifier: Apache-2.0
#pragma once
// Interpreter: runs a graph node by node with the operators' own functions, whatever the shapes.
// Slower than a plan, and without need of one: for what depends on data, and as the reference.
//
//   Owns     what values hold while a graph runs.
//   Threads  one.
//   Trust    none in the graph beyond Graph's own rules, none in inputs.
//   Fails    with the node's name and the reason; kTooLarge when values would need more memory, or
//            the run more steps, than allowed.

#include <unordered_map>

#include "isolated/engine/operators/operators.h"

namespace casemate::engine {

struct InterpreterLimits {
  uint64_t memory_bytes_max = 4ull << 30;
  uint64_t steps_max = 1ull << 26;  // nodes run, those of loops each time: a minute or more
};

class Interpreter final : public Host {
 public:
  explicit Interpreter(InterpreterLimits limits = {}) : limits_(limits) {}

  // The graph's outputs. Requires: as many inputs as it has.
  Result<std::vector<Datum>> run(const Graph& graph, std::vector<Datum> inputs) override;
  Status allow(uint64_t bytes) override;
  Status hold(uint64_t before, uint64_t now) override;
  // Since it was made.
  [[nodiscard]] uint64_t steps() const { return steps_; }

 private:
  // By node: the values that nobody reads after it.
  using Ends = std::vector<std::vector<ValueId>>;
  const Ends& ends_of(const Graph& graph);
  Status count_step();
  Status run_node(const Node& node, std::vector<Datum>& values);
  void release(Datum& datum);

  InterpreterLimits limits_;
  uint64_t steps_ = 0;
  uint64_t live_bytes_ = 0;
  std::unordered_map<const Graph*, Ends> ends_;
};

}  // namespace casemate::engine
