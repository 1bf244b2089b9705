// SPDX-License-Identifier: Apache-2.0
#pragma once
// Axes, extents and shapes as a model states them, checked.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    every number may be anything.
//   Fails    kInvalid for what has no meaning; kTooLarge for what no tensor may have.

#include <algorithm>
#include <span>
#include <vector>

#include "base/result.h"
#include "wire/abi/tensor.h"

namespace casemate::engine {

// The axis that is meant; negative ones count from the end.
Result<uint32_t> axis_of(int64_t axis, size_t rank);
// Ditto for several. Fails when one is there twice.
Result<std::vector<uint32_t>> axes_of(std::span<const int64_t> axes, size_t rank);

// Ditto as bits.
Result<uint32_t> axis_bits(std::span<const int64_t> axes, size_t rank);

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

// The shape of these extents. Fails when there are too many, one is negative, or their product has
// no place in 62 bits, whatever zeros are among them.
Result<Shape> shape_of(std::span<const int64_t> extents);
// The same extents, but for one. Fails as shape_of().
Result<Shape> with_extent(const Shape& shape, uint32_t axis, int64_t extent);

// Sums and products of extents. Fail when they overflow.
Result<int64_t> sum_of(int64_t a, int64_t b);
Result<int64_t> product_of(int64_t a, int64_t b);

// How many elements the axes from `first` to before `last` make together. Requires: a shape whose
// elements can be counted.
int64_t count_of(const Shape& shape, size_t first, size_t last);
inline int64_t count_of(const Shape& shape) { return count_of(shape, 0, shape.rank()); }

}  // namespace casemate::engine
