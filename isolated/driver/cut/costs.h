// SPDX-License-Identifier: Apache-2.0
#pragma once
// Costs: what nodes, runs and copies take on one device, as measured there.
//
//   Owns     numbers and names.
//   Threads  values; measure() uses the device alone, on one thread.
//   Trust    the graph was shaped by the engine; names in it are the model's.
//   Fails    measure() as the device does.

#include <map>
#include <string>
#include <vector>

#include "isolated/driver/driver.h"

namespace casemate::driver {

// A node that was measured alone.
struct MeasuredNode {
  std::string op;
  std::string form;   // operator, types, shapes, lists: nodes of one form take the same time
  uint64_t work = 0;  // operations and bytes, by which what is missing is estimated
  double ns = 0;      // beyond a run that computes nothing
};

struct Costs {
  double run_ns = 0;   // of a run that computes nothing
  double copy_ns = 0;  // of a copy of nothing
  double write_ns_per_byte = 0;
  double read_ns_per_byte = 0;
  std::vector<MeasuredNode> nodes;
  std::map<std::string, std::string> refused;  // by form: why the device does not take it

  // Whether the device takes the node, as far as it was measured.
  [[nodiscard]] bool takes(const engine::Graph& graph, const engine::Node& node) const;
  // As measured for its form; else from the measured node of its operator, or of any, whose work is
  // nearest, in proportion to the work.
  [[nodiscard]] double node_ns(const engine::Graph& graph, const engine::Node& node) const;
  [[nodiscard]] double write_ns(uint64_t bytes) const {
    return copy_ns + write_ns_per_byte * static_cast<double>(bytes);
  }
  [[nodiscard]] double read_ns(uint64_t bytes) const {
    return copy_ns + read_ns_per_byte * static_cast<double>(bytes);
  }
  // A line for the device and one for each form.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string json() const;
};

// "Conv FP32[1,3,8,8] FP32[4,3,3,3]c -> FP32[1,4,8,8] pads=1,1,1,1"; c: a constant.
std::string form_of(const engine::Graph& graph, const engine::Node& node);
uint64_t work_units(const engine::Graph& graph, const engine::Node& node);

struct MeasureOptions {
  int rounds = 5;                                // of which the best counts
  Duration node_max = std::chrono::seconds(20);  // for one run; a node that takes longer is refused
  uint64_t copy_bytes = 4 << 20;  // of the large copy, or what the device has room for
};

// What the nodes of a graph take on a device. Its inputs are zeros.
Result<Costs> measure(Device& device, const engine::Graph& graph,
                      const MeasureOptions& options = {}, Clock& clock = system_clock());

}  // namespace casemate::driver
