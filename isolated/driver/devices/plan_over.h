// SPDX-License-Identifier: Apache-2.0
#pragma once
// A graph planned over some devices: what each takes of it and how long that takes there, the cut,
// and both it and the whole on the processor alone, run and measured in turns.
//
//   Owns     values.
//   Threads  one.
//   Trust    the graph was shaped by the engine; names in it are the model's.
//   Fails    as measure(), make_cut() and CutRunner do, with the device in front; kInvalid when a
//            device is preferred that is not among them.

#include <map>
#include <optional>

#include "isolated/driver/cut/cut.h"
#include "isolated/driver/devices/devices.h"

namespace casemate::driver {

// Nodes that a device does not take for one reason.
struct Refused {
  std::string why;
  std::map<std::string, uint64_t> operators;  // how many of each
  [[nodiscard]] uint64_t count() const;
};

struct MeasuredCut {
  Cut cut;
  std::vector<PieceTime> measured;  // by piece: of the run whose sum was the least
};

// What both computed of the same inputs.
struct Agreement {
  bool same_bits = true;
  // Of reals of 32 bits: beside the largest of their output. Others differ by 1 or not at all.
  double difference_max = 0;
};

struct PlanOver {
  MeasuredCut cut;
  std::vector<Costs> costs;                    // by device
  std::vector<std::vector<Refused>> refusals;  // ditto, the most frequent first
  std::optional<MeasuredCut> whole;            // on the processor alone, whatever was named
  std::string no_whole;                        // why there is none
  Agreement agreement;                         // of the cut and the whole, where there is one
};

struct PlanOverOptions {
  MeasureOptions measure = {};
  int rounds = 5;
  Duration run_max = std::chrono::seconds(60);  // for one run
  std::string prefer = {};  // the device that is to run whatever it takes; none: by costs
  OpenOptions whole = {};   // the processor that runs it all
};

// Its inputs are made up: reals around zero, bytes of every kind, zeros of what may be an index.
// Copies are waited for, so that they are measured apart.
Result<PlanOver> plan_over(const engine::Graph& graph, const std::vector<OpenDevice>& devices,
                           const PlanOverOptions& options = {}, Clock& clock = system_clock());

}  // namespace casemate::driver
