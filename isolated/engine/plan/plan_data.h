// SPDX-License-Identifier: Apache-2.0
#pragma once
// PlanData: a plan without its kernels: which steps there are, in which order, and which bytes each
// of them reads and writes. It is what paging and partitioning decide on, and what is printed. The
// kernels themselves are not in it: they hold machine code and packed weights of this process, and
// are made again from the model by make_plan().
//
//   Owns     values.
//   Threads  a value type.
//   Trust    plan_from_json() takes none in the text: every place lies inside what the plan has.
//   Fails    plan_from_json(): kInvalid with the step and what is wrong with it.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/abi/tensor.h"

namespace casemate::engine {

// Where an operand lies.
struct Place {
  enum class Kind : uint8_t { kNone, kArena, kInput, kOutput };
  Kind kind = Kind::kNone;
  uint32_t index = 0;   // of the input or output
  uint64_t offset = 0;  // in the arena, bytes
  uint64_t bytes = 0;
  bool operator==(const Place&) const = default;

  // "@OFFSET+BYTES" in the arena, "in0", "out0", or "-".
  [[nodiscard]] std::string text() const;
};

struct StepData {
  std::string name;            // the node's, or what the plan added
  std::string op;              // ONNX's operator; empty for what the plan added
  std::string implementation;  // of the kernel
  std::string layouts;         // "FROM->TO"
  bool slow = false;           // only a reference implementation was to be had
  std::vector<Place> inputs = {};
  std::vector<Place> outputs = {};
  Place scratch = {};
  uint64_t flops = 0;  // graph/work.h counts both
  uint64_t bytes = 0;
  bool operator==(const StepData&) const = default;
};

struct PlanData {
  // Of an input or output, in the caller's memory.
  struct Tensor {
    ElementType type = ElementType::kNone;
    Shape shape;
    uint64_t bytes = 0;
    bool operator==(const Tensor&) const = default;
  };
  uint64_t arena_bytes = 0;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<StepData> steps;
  bool operator==(const PlanData&) const = default;

  // One line per step: what runs, how, from where, to where. Long names are cut.
  [[nodiscard]] std::string text() const;
  // One JSON object, from which plan_from_json() makes the same again.
  [[nodiscard]] std::string json() const;
};

Result<PlanData> plan_from_json(std::string_view text);

}  // namespace casemate::engine
