// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whole numbers that a model may state in a tensor of any type of number.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    elements may be anything.
//   Fails    with kUnsupported for text and bools, kInvalid for a number that is no integer's.

#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

// The elements of a tensor of numbers, cut towards zero. Fails for one beyond 2^62.
Result<std::vector<int64_t>> whole_numbers(Computation& c, size_t input);

}  // namespace casemate::engine
