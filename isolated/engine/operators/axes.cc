// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/axes.h"

#include <format>

                                              extents.size(), limits::kRank)};
                 std::format("it works along axis {}, and a scalar has none", axis)};
                 std::format("its axis {} lies outside [{},{}]", axis, -end, end - 1)};
      dims.push_back(1);
      dims.push_back(shape[i]);
      return Error{Code::kInvalid, std::format("axis {} is stated twice", meant)};
      return Error{Code::kInvalid, std::format("its axes name axis {} twice", axis)};
    bits |= bit;
    const uint32_t bit = 1u << TRY(axis_of(axis, rank));
    const uint32_t meant = TRY(axis_of(axis, rank));
    found.push_back(meant);
    if (((axes >> i) & 1) == 0) {
    if ((bits & bit) != 0)
    if (std::ranges::find(found, meant) != found.end())
    return Error{Code::kInvalid,
    return Error{Code::kInvalid, std::format("axis {} is none of a tensor of rank {}", axis, rank)};
    return Error{Code::kTooLarge, std::format("a tensor of rank {} is over the limit of {}",
    return Error{Code::kTooLarge, std::format("the product of {} and {} overflows", a, b)};
    return Error{Code::kTooLarge, std::format("the sum of {} and {} overflows", a, b)};
    }
    } else if (kept) {
  Shape changed = shape;
  Split split{.axis = TRY(axis_of(axis, shape.rank()))};
  TRY(changed.element_count());
  TRY(shape.element_count());
  TRY(shape.element_count());  // so that none of the products below overflows
  changed[axis] = extent;
  const Shape shape(extents);
  const auto count = static_cast<int64_t>(rank);
  const int64_t end = rank;
  for (const int64_t axis : axes) {
  for (size_t i = first; i < last; ++i) count *= shape[i];
  for (uint32_t i = 0; i < shape.rank(); ++i) {
  for (uint32_t i = 0; i < split.axis; ++i) split.outer *= shape[i];
  for (uint32_t i = split.axis + 1; i < shape.rank(); ++i) split.inner *= shape[i];
  if (__builtin_add_overflow(a, b, &sum))
  if (__builtin_mul_overflow(a, b, &product))
  if (axis < -count || axis >= count) {
  if (axis < -end || axis >= end) {
  if (extents.size() > limits::kRank) {
  if (rank == 0)
  int64_t count = 1;
  int64_t product = 0;
  int64_t sum = 0;
  return Shape(std::span<const int64_t>(dims));
  return bits;
  return changed;
  return count;
  return found;
  return product;
  return shape;
  return split;
  return static_cast<uint32_t>(axis < 0 ? axis + count : axis);
  return static_cast<uint32_t>(axis < 0 ? axis + end : axis);
  return sum;
  split.extent = shape[split.axis];
  std::vector<int64_t> dims;
  std::vector<uint32_t> found;
  uint32_t bits = 0;
  }
#include <vector>
Result<Shape> shape_of(std::span<const int64_t> extents) {
Result<Shape> with_extent(const Shape& shape, uint32_t axis, int64_t extent) {
Result<Split> split_at(const Shape& shape, int64_t axis) {
Result<int64_t> product_of(int64_t a, int64_t b) {
Result<int64_t> sum_of(int64_t a, int64_t b) {
Result<std::vector<uint32_t>> axes_of(std::span<const int64_t> axes, size_t rank) {
Result<uint32_t> axes_of(std::span<const int64_t> axes, uint32_t rank) {
Result<uint32_t> axis_of(int64_t axis, size_t rank) {
Result<uint32_t> axis_of(int64_t axis, uint32_t rank) {
Shape reduced_shape(const Shape& shape, uint32_t axes, bool kept) {
int64_t count_of(const Shape& shape, size_t first, size_t last) {
namespace casemate::engine {
}
}

}  // namespace casemate::engine
