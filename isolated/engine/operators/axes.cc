// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/axes.h"

#include <format>
#include <vector>

namespace casemate::engine {

Result<uint32_t> axis_of(int64_t axis, uint32_t rank) {
  if (rank == 0)
    return Error{Code::kInvalid,
                 std::format("it works along axis {}, and a scalar has none", axis)};
  const int64_t end = rank;
  if (axis < -end || axis >= end) {
    return Error{Code::kInvalid,
                 std::format("its axis {} lies outside [{},{}]", axis, -end, end - 1)};
  }
  return static_cast<uint32_t>(axis < 0 ? axis + end : axis);
}

Result<uint32_t> axes_of(std::span<const int64_t> axes, uint32_t rank) {
  uint32_t bits = 0;
  for (const int64_t axis : axes) {
    const uint32_t bit = 1u << TRY(axis_of(axis, rank));
    if ((bits & bit) != 0)
      return Error{Code::kInvalid, std::format("its axes name axis {} twice", axis)};
    bits |= bit;
  }
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
  for (uint32_t i = 0; i < split.axis; ++i) split.outer *= shape[i];
  split.extent = shape[split.axis];
  for (uint32_t i = split.axis + 1; i < shape.rank(); ++i) split.inner *= shape[i];
  return split;
}

}  // namespace casemate::engine
