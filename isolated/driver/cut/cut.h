// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cut: which device runs which nodes of a graph.
//
//   order:   n0 n1 n2 | n3 n4 n5 n6 | n7 n8       pieces are consecutive in one order of the nodes
//   device:  cpu:0    | npu:0       | cpu:0
//                   values cross through the host's memory
//
// What a piece costs, alone: a run, its nodes, and copies of all that it reads from before it and
// of all that is read behind it. So the best cut up to a node is the best of all cuts up to an
// earlier one with a piece behind it: dynamic programming, exact for its order and the costs.
//
//   Owns     numbers and names.
//   Threads  values; a pure function.
//   Trust    the graph was shaped by the engine; costs are the caller's.
//   Fails    kUnsupported with the node that no device takes and what each says of it; kTooLarge
//            for more nodes than kNodesMax.

#include <string>
#include <vector>

#include "isolated/driver/cut/costs.h"

namespace casemate::driver {

// Time grows with the square: about a second for so many.
inline constexpr size_t kNodesMax = 16'384;

// A device that may be given pieces.
struct Candidate {
  std::string name;  // "cpu:0"
  Costs costs;
  uint64_t memory_bytes = UINT64_MAX;      // for what a piece reads, makes and has of constants
  std::vector<std::string> refusals = {};  // by node: why not; empty: it takes it
};

// With the device's own word on each node, and what measuring said of it.
Candidate candidate(std::string name, const Device& device, Costs costs,
                    const engine::Graph& graph);

struct CutPiece {
  size_t device = 0;          // which candidate
  std::vector<size_t> nodes;  // of the graph, in the order in which they run
  std::vector<engine::ValueId> inputs;
  std::vector<engine::ValueId> outputs;
  uint64_t input_bytes = 0;
  uint64_t output_bytes = 0;
  double run_ns = 0;   // predicted
  double copy_ns = 0;  // ditto
};

// What a piece took in a run.
struct PieceTime {
  double run_ns = 0;
  double copy_ns = 0;  // in and out
  [[nodiscard]] double sum_ns() const { return run_ns + copy_ns; }
};

struct Cut {
  std::vector<std::string> devices;
  std::vector<CutPiece> pieces;

  [[nodiscard]] double predicted_ns() const;
  // A line for each piece: device, nodes, bytes, times, operators; and one for their sum. Measured
  // times are left out where there are none.
  [[nodiscard]] std::string text(const engine::Graph& graph,
                                 const std::vector<PieceTime>& measured = {}) const;
  [[nodiscard]] std::string json(const engine::Graph& graph,
                                 const std::vector<PieceTime>& measured = {}) const;
};

// Requires: one variant; a refusal for each node in each candidate.
Result<Cut> make_cut(const engine::Graph& graph, const std::vector<Candidate>& candidates);

// The best cut whose pieces are consecutive in this order. Requires: as make_cut(); the order has
// each node once, behind those whose values it reads.
Result<Cut> cut_in_order(const engine::Graph& graph, const std::vector<Candidate>& candidates,
                         const std::vector<size_t>& order);

}  // namespace casemate::driver
