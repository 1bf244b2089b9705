// SPDX-License-Identifier: Apache-2.0
#pragma once
// Boxes of elements: the loops behind everything that moves elements or reads one tensor as if it
// had the shape of another. Row-major memory, one thread.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    callers have checked that steps stay inside both tensors.
//   Fails    box_of() yields nothing for operators that do not move elements.

#include <array>
#include <cstdint>
#include <optional>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// Steps through a tensor, in elements, one per dimension; 0 repeats the dimension.
using Steps = std::array<int64_t, limits::kRank>;

// The steps of a dense row-major tensor.
Steps dense_steps(const Shape& shape);
// Whether a tensor of `shape` can be read as one of shape `as`, aligned at the last dimension, as
// NumPy broadcasts.
bool broadcastable(const Shape& shape, const Shape& as);
// The steps with which it is. Requires: broadcastable.
Steps broadcast_steps(const Shape& shape, const Shape& as);

// Calls `row(offsets, count)` for every run along the last dimension of `shape`, with the offset of
// its first element in each of the operands, whose steps are given.
template <size_t operand_count, class Row>
void for_each_row(const Shape& shape, const std::array<Steps, operand_count>& steps, Row row) {
  const uint32_t rank = shape.rank();
  for (const int64_t extent : shape.dims()) {
    if (extent == 0) return;
  }
  const int64_t columns = rank == 0 ? 1 : shape[rank - 1];
  std::array<int64_t, limits::kRank> index{};
  std::array<int64_t, operand_count> offsets{};
  for (;;) {
    row(offsets, columns);
    uint32_t axis = rank == 0 ? 0 : rank - 1;
    for (;; --axis) {
      if (axis == 0) return;
      const uint32_t d = axis - 1;
      for (size_t i = 0; i < operand_count; ++i) offsets[i] += steps[i][d];
      if (++index[d] < shape[d]) break;
      for (size_t i = 0; i < operand_count; ++i) offsets[i] -= steps[i][d] * shape[d];
      index[d] = 0;
    }
  }
}

// Elements read from one tensor with some steps and written to another with others.
struct Box {
  Shape shape = {};
  int64_t from = 0;  // first element read
  int64_t to = 0;    // first element written
  Steps read{};
  Steps write{};
};

// What a Transpose, Slice, Expand or Pad node copies from its input to its output.
std::optional<Box> box_of(const Node& node, const Shape& input, const Shape& output);

// True when the box reads only inside `input` and writes only inside `output`.
bool inside(const Box& box, const Shape& input, const Shape& output);

// Copies the box for elements of that many bytes: 1, 2, 4 or 8.
void copy_box(const Box& box, size_t element_bytes, const uint8_t* source, uint8_t* target);

}  // namespace casemate::engine
