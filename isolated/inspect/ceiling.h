// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ceiling: what this machine can do at most, measured now, by so many threads: multiply-adds of
// FP32 in registers, with the instruction set that the kernels use, and reads of memory that no
// cache holds. No layer can be done sooner than both allow.
//
//   Owns     the memory that it reads while it measures.
//   Threads  uses those of set_threads(), as kernels do.
//   Trust    needs none.
//   Fails    kPlatform when there is no memory to measure with.

#include <string>

#include "base/result.h"

namespace casemate::inspect {

struct Ceiling {
  std::string instruction_set;
  double flops_per_s = 0;
  double bytes_per_s = 0;
};

// Takes about a second.
Result<Ceiling> measure_ceiling(int threads);

}  // namespace casemate::inspect
