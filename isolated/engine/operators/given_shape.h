// SPDX-License-Identifier: Apache-2.0
#pragma once
// A shape that a model gives as integers.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    the integers may be any.
//   Fails    with kInvalid for a negative extent, kUnsupported beyond limits::kRank dimensions.

#include <span>

#include "wire/abi/tensor.h"

namespace casemate::engine {

Result<Shape> given_shape(std::span<const int64_t> extents);

}  // namespace casemate::engine
