// SPDX-License-Identifier: Apache-2.0
#pragma once
// Case: one published test of ONNX: a model, what goes in, what has to come out.
//
//   Owns     its model and tensors.
//   Threads  one.
//   Trust    the files are the ONNX project's.
//   Fails    with what could not be read, as of a type that we do not hold.

#include <filesystem>
#include <string>
#include <vector>

#include "isolated/engine/onnx/read.h"
#include "isolated/engine/operators/datum.h"

namespace casemate::engine {

struct Case {
  std::string suite;
  std::string name;
  std::filesystem::path model;
  std::filesystem::path data;  // folder, or for a light model the file with its output
};

// What a case compares.
struct Expectation {
  ReadModel model;
  std::vector<Datum> inputs;
  std::vector<Datum> outputs;
};

// All cases below the folder where the suites are, sorted; none of a suite that is missing.
std::vector<Case> find_cases(const std::filesystem::path& folder);
// The operator that the case is about: that of its first node; none if the file cannot be parsed.
std::string operator_of(const Case& tested);
Result<Expectation> load_case(const Case& tested);

// Nothing when all outputs agree: type and shape exactly, text exactly, numbers to 1e-7 + 1e-3 of
// what is expected, NaN with NaN. Otherwise the first difference.
std::string difference(const std::vector<Datum>& have, const std::vector<Datum>& want);

}  // namespace casemate::engine
