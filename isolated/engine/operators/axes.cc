// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/axes.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {

Result<uint32_t> axis_of(int64_t axis, size_t rank) {
  const auto count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count) {
    return Error{Code::kInvalid, formatted("axis {} is none of a tensor of rank {}", axis, rank)};
  }
  return static_cast<uint32_t>(axis < 0 ? axis + count : axis);
}

Result<std::vector<uint32_t>> axes_of(std::span<const int64_t> axes, size_t rank) {
  std::vector<uint32_t> found;
  for (const int64_t axis : axes) {
    const uint32_t meant = TRY(axis_of(axis, rank));
    if (std::ranges::find(found, meant) != found.end())
      return Error{Code::kInvalid, formatted("axis {} is stated twice", meant)};
    found.push_back(meant);
  }
  return found;
}

Result<uint32_t> axis_bits(std::span<const int64_t> axes, size_t rank) {
  uint32_t bits = 0;
  for (const uint32_t axis : TRY(axes_of(axes, rank))) bits |= 1u << axis;
  return bits;
}

Shape reduced_shape(const Shape& shape, uint32_t axes, bool kept) {
  std::vector<int64_t> dims;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    if (((axes >> i) & 1) == 0) {
      dims.push_back(shape[i]);
    } else if (kept) {
      dims.push_back(1);
    }
  }
  return Shape(std::span<const int64_t>(dims));
}

Result<Split> split_at(const Shape& shape, int64_t axis) {
  Split split{.axis = TRY(axis_of(axis, shape.rank()))};
  TRY(shape.element_count());  // so that none of the products below overflows
  split.outer = count_of(shape, 0, split.axis);
  split.extent = shape[split.axis];
  split.inner = count_of(shape, split.axis + 1, shape.rank());
  return split;
}

Result<Shape> shape_of(std::span<const int64_t> extents) {
  if (extents.size() > limits::kRank) {
    return Error{Code::kTooLarge, formatted("a tensor of rank {} is over the limit of {}",
                                            extents.size(), limits::kRank)};
  }
  const Shape shape(extents);
  TRY(shape.element_count());
  return shape;
}

Result<Shape> with_extent(const Shape& shape, uint32_t axis, int64_t extent) {
  Shape changed = shape;
  changed[axis] = extent;
  TRY(changed.element_count());
  return changed;
}

Result<int64_t> sum_of(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    return Error{Code::kTooLarge, formatted("the sum of {} and {} overflows", a, b)};
  return sum;
}

Result<int64_t> product_of(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    return Error{Code::kTooLarge, formatted("the product of {} and {} overflows", a, b)};
  return product;
}

int64_t count_of(const Shape& shape, size_t first, size_t last) {
  int64_t count = 1;
  for (size_t i = first; i < last; ++i) count *= shape[i];
  return count;
}

}  // namespace casemate::engine
