// SPDX-License-Identifier: Apache-2.0
#pragma once
// Classes: the most probable entries of a classifier's output.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    outputs come from a model and may hold anything, NaN included.
//   Fails    kUnsupported for an output that holds no scores.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "outside/client/protocol.h"
#include "outside/client/tensor.h"

namespace casemate::client {

struct ClassScore {
  size_t index = 0;
  std::string label;  // the index as text when the model names none
  double probability = 0;
};

// The names in the property `casemate.labels`, separated by commas; empty without it.
std::vector<std::string> labels_of(const ModelMetadata& metadata);

// True for an output that top_classes() can read: FP32 or FP64, one row of at least two scores.
bool scores(const Tensor& output);

// The `count` best classes, best first. Scores that are no probabilities yet (they lie outside 0..1
// or do not add up to 1) go through softmax. Labels of another number than scores are not used.
Result<std::vector<ClassScore>> top_classes(const Tensor& output,
                                            const std::vector<std::string>& labels, size_t count);

}  // namespace casemate::client
