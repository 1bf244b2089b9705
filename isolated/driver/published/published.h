// SPDX-License-Identifier: Apache-2.0
#pragma once
// A published test of ONNX as a graph that is cut over devices: its first input is given when it
// runs, the others are constants, and each node goes to the first device that takes it.
//
//   Owns     values.
//   Threads  one.
//   Trust    the files are the ONNX project's.
//   Fails    never: an outcome says what happened.

#include <string>
#include <vector>

#include "isolated/driver/devices/devices.h"
#include "isolated/engine/conformance/case.h"

namespace casemate::driver {

struct CaseOutcome {
  enum class Kind : uint8_t {
    kRight,
    kFolded,  // no node was left to run
    kNotCut,  // it is no graph of tensors with known shapes, or no device takes a node
    kWrong,
  };
  Kind kind = Kind::kRight;
  std::string why;            // of kNotCut and kWrong
  std::vector<size_t> nodes;  // by device: how many it ran
};

CaseOutcome run_case(const engine::Case& tested, const std::vector<OpenDevice>& devices);

}  // namespace casemate::driver
