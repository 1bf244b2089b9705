// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelOptions: what a system file says of a model, as its enclave is told it in CASEMATE_OPTIONS:
//
//   shape=batch:8,sequence:128;shape=batch:1,sequence:128;cut=cpu:0,npu:0/0*12,1*3,0*1
//
// A cut names devices, and which of them, counted from 0, the nodes of the graph run on, in runs.
//
//   Owns     values.
//   Threads  values.
//   Trust    none in the text: whoever describes the system writes it. It is measured.
//   Fails    kInvalid with the part that is wrong.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace casemate::model {

struct ModelOptions {
  // Each shape is a plan in the model's memory; an engine keeps as many of others. A model has few
  // extents that vary, and none in use is near 2^20.
  static constexpr uint32_t kShapes = 16;
  static constexpr uint32_t kShapeExtents = 16;
  static constexpr uint32_t kExtentMax = 1 << 20;

  // To compile for: what the model's symbolic extents stand for, by name.
  std::vector<std::map<std::string, int64_t>> shapes;

  // No device: the processor runs all of it.
  static constexpr size_t kDevices = 8;
  static constexpr size_t kNodes = 16'384;  // as many as a cut is made of
  std::vector<std::string> devices;
  std::vector<uint32_t> on;  // by node

  static Result<ModelOptions> parse(std::string_view text);
};

}  // namespace casemate::model
