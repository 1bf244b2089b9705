// SPDX-License-Identifier: Apache-2.0
#pragma once
// Axes: which dimensions of a tensor an operator works along.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    axes and shapes may be anything.
//   Fails    with kInvalid for an axis that is none, as Shape::element_count() for a shape that is
//            none.

#include <algorithm>
#include <span>

#include "wire/abi/tensor.h"

namespace casemate::engine {

// The dimension that an axis means; a negative one counts from the back.
Result<uint32_t> axis_of(int64_t axis, uint32_t rank);

// The dimensions that axes mean, as bits. Fails also when one is named twice.
Result<uint32_t> axes_of(std::span<const int64_t> axes, uint32_t rank);

// A shape with some dimensions, given as bits, reduced to 1, or left out when they are not kept.
Shape reduced_shape(const Shape& shape, uint32_t axes, bool kept);

// A shape as seen from one axis: element [i,j,k] lies at (i * extent + j) * inner + k.
struct Split {
  uint32_t axis = 0;
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t inner = 1;
};
Result<Split> split_at(const Shape& shape, int64_t axis);

// Calls `block(first, count)` for all columns, of the elements along the axis: up to `most` at once
// that lie side by side, so that memory is walked in order. `first` is where the first one begins;
// the elements of a column lie `inner` apart.
template <class Block>
void for_each_columns(const Split& split, int64_t most, Block block) {
  for (int64_t i = 0; i < split.outer; ++i) {
    for (int64_t j = 0; j < split.inner; j += most)
      block(i * split.extent * split.inner + j, std::min(most, split.inner - j));
  }
}

}  // namespace casemate::engine
