// SPDX-License-Identifier: Apache-2.0
#pragma once
// Devices: opened by name, and a graph planned over some of them.
//
//   Owns     open devices.
//   Threads  one.
//   Trust    names are the user's own word; the graph was shaped by the engine.
//   Fails    kInvalid for what is no name, kUnsupported for a kind without a driver, kNotFound for
//            a number without a device; plan_over() as measure(), make_cut() and CutRunner do.

#include <string_view>

#include "isolated/driver/cut/cut.h"

namespace casemate::driver {

struct OpenDevice {
  std::string name;  // "cpu:0"
  std::unique_ptr<Device> device;
};

struct OpenOptions {
  int threads = 1;                     // of the processor
  uint64_t memory_bytes = 1ull << 30;  // of each device that has no memory of its own
};

// "cpu:0,fake:0": each of them, in this order. Fails for one that is there twice, too.
Result<std::vector<OpenDevice>> open_devices(std::string_view names,
                                             const OpenOptions& options = {});

// A cut, why it is this one, and how long it took.
struct PlanOver {
  Cut cut;
  std::vector<Costs> costs;         // by device
  std::vector<double> measured_ns;  // by piece: the run whose sum was the least
};

struct PlanOverOptions {
  MeasureOptions measure = {};
  int rounds = 5;
  Duration run_max = std::chrono::seconds(60);  // for one run
};

// Its inputs are zeros.
Result<PlanOver> plan_over(const engine::Graph& graph, const std::vector<OpenDevice>& devices,
                           const PlanOverOptions& options = {}, Clock& clock = system_clock());

}  // namespace casemate::driver
