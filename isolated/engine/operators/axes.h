// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include <span>
#include <vector>
//
//            none.
//   Fails    kInvalid for what has no meaning; kTooLarge for what no tensor may have.
//   Fails    with kInvalid for an axis that is none, as Shape::element_count() for a shape that is
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    axes and shapes may be anything.
//   Trust    every number may be anything.
// Axes, extents and shapes as a model states them, checked.
// Axes: which dimensions of a tensor an operator works along.
#include "wire/abi/tensor.h"

namespace casemate::engine {


  int64_t extent = 1;
  int64_t inner = 1;
  int64_t outer = 1;
  uint32_t axis = 0;
// A shape as seen from one axis: element [i,j,k] lies at (i * extent + j) * inner + k.
// A shape with some dimensions, given as bits, reduced to 1, or left out when they are not kept.
// Ditto for several. Fails when one is there twice.
// How many elements the axes from `first` to before `last` make together. Requires: a shape whose
// Sums and products of extents. Fail when they overflow.
// The axis that is meant; negative ones count from the end.
// The dimension that an axis means; a negative one counts from the back.
// The dimensions that axes mean, as bits. Fails also when one is named twice.
// The same extents, but for one. Fails as shape_of().
// The shape of these extents. Fails when there are too many, one is negative, or their product has
// elements can be counted.
// no place in 62 bits, whatever zeros are among them.
Result<Shape> shape_of(std::span<const int64_t> extents);
Result<Shape> with_extent(const Shape& shape, uint32_t axis, int64_t extent);
Result<Split> split_at(const Shape& shape, int64_t axis);
Result<int64_t> product_of(int64_t a, int64_t b);
Result<int64_t> sum_of(int64_t a, int64_t b);
Result<std::vector<uint32_t>> axes_of(std::span<const int64_t> axes, size_t rank);
Result<uint32_t> axes_of(std::span<const int64_t> axes, uint32_t rank);
Result<uint32_t> axis_of(int64_t axis, size_t rank);
Result<uint32_t> axis_of(int64_t axis, uint32_t rank);
Shape reduced_shape(const Shape& shape, uint32_t axes, bool kept);
inline int64_t count_of(const Shape& shape) { return count_of(shape, 0, shape.rank()); }
int64_t count_of(const Shape& shape, size_t first, size_t last);
struct Split {
};

}  // namespace casemate::engine
