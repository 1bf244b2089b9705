// SPDX-License-Identifier: Apache-2.0
#pragma once
// Measuring: how far kernels are from what operators mean, computed in double precision.
//
//   Owns     what it has measured.
//   Threads  those of set_threads().
//   Trust    none needed: inputs are our own.
//   Fails    with the kernel that could not be run.

#include <string>
#include <vector>

#include "isolated/engine/kernels/run_case.h"

namespace casemate::engine {

// A node, and how its operator's own function takes it.
struct NumericCase {
  NodeCase run;
  Node meant;                  // its operator and attributes
  std::vector<Tensor> inputs;  // of the function
  bool widened = true;         // floats become doubles; otherwise it is run as it is
};

// By kernel or loop, and how it is run: the largest error of all cases.
struct Measured {
  std::string name;  // "Conv FP32"
  std::string how;   // "generated", "own loops", or an instruction set
  int cases = 0;
  double error = 0;  // of the root of the mean square of what is exact
};

// The largest difference, of the root of the mean square of what is exact; where that is 0, as it
// is. Infinite where counts differ, or only one is no number.
double error_of(const std::vector<double>& got, const std::vector<double>& exact);

// The cases of a registered kernel; none if nobody has thought of it.
std::vector<NumericCase> cases_of(const std::string& op, ElementType type);
// Convolutions by Winograd's method with tiles of that size, whatever the registry would choose.
std::vector<NumericCase> winograd_cases(int size);
// Adds what they show, by the ways to run them that the kernel has.
Status measure_cases(const std::string& name, std::vector<NumericCase> cases,
                     std::vector<Measured>& measured);

// All kernels of the registry.
Result<std::vector<Measured>> measure_kernels();
// Our own loops, for every instruction set.
std::vector<Measured> measure_loops();

}  // namespace casemate::engine
