// SPDX-License-Identifier: Apache-2.0
#pragma once
// Triton's classification extension: the highest values of an output with their indices, as
// strings "value:index".
//
//   Owns     the strings that it returns.
//   Threads  pure function.
//   Trust    values may be anything, NaN included, which counts as lowest.
//   Fails    never.

#include <cstdint>
#include <vector>

#include "wire/abi/tensor.h"

namespace casemate::gateway {

struct Classes {
  Shape shape;                   // [batch, classes], or [classes] without a batch
  std::vector<uint8_t> strings;  // in the BYTES wire form
};

// The `count` highest values of every batch item, or of the whole tensor. Requires: a numeric type
// of visit_element_type().
Classes classify(const TensorView& tensor, uint32_t count, bool batched);

}  // namespace casemate::gateway
