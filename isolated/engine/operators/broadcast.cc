// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/broadcast.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {
namespace {

Error misfit(const Shape& a, const Shape& b) {
  return {Code::kInvalid, formatted("its operands have the shapes {} and {}, which cannot be "
                                    "broadcast to each other",
                                    a.text(), b.text())};
}

// `b` with extents of 1 around it, so that it has a's rank and begins at a's dimension `axis`.
Shape surrounded(const Shape& b, uint32_t rank, int64_t axis) {
  std::array<int64_t, limits::kRank> dims;
  dims.fill(1);
  std::ranges::copy(b.dims(), dims.begin() + axis);
  return Shape(std::span(dims).first(rank));
}

// Before operator set 7: `b` is as `a`, or one element, or a contiguous part of a's dimensions,
// from `axis` on or else the last ones. Exporters also wrote extents of 1 into such a part.
Result<Aligned> align_by_attributes(const Computation& c) {
  const Shape& a = c.shape(0);
  const Shape& b = c.shape(1);
  if (a == b) return Aligned{a, b, a};
  if (c.attributes().integer("broadcast", 0) == 0) {
    return Error{Code::kInvalid, formatted("its operands have the shapes {} and {}; without the "
                                           "attribute 'broadcast' it takes equal ones",
                                           a.text(), b.text())};
  }
  if (TRY(b.element_count()) == 1) return Aligned{a, Shape{}, a};
  if (b.rank() > a.rank()) return misfit(a, b);
  const int64_t last = int64_t{a.rank()} - b.rank();
  int64_t axis = c.attributes().integer("axis", -1);
  if (axis == -1) axis = last;
  if (axis < 0) axis += a.rank();
  if (axis < 0 || axis > last) {
    return Error{Code::kInvalid, formatted("its axis {} does not place the shape {} inside {}",
                                           c.attributes().integer("axis", -1), b.text(), a.text())};
  }
  const Shape placed = surrounded(b, a.rank(), axis);
  if (!broadcastable(placed, a)) return misfit(a, b);
  return Aligned{a, placed, a};
}

}  // namespace

Result<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape result = a.rank() < b.rank() ? b : a;
  const Shape& shorter = a.rank() < b.rank() ? a : b;
  const uint32_t shift = result.rank() - shorter.rank();
  for (uint32_t i = 0; i < shorter.rank(); ++i) {
    int64_t& extent = result[i + shift];
    if (extent == 1) extent = shorter[i];
    if (shorter[i] != 1 && shorter[i] != extent) return misfit(a, b);
  }
  return result;
}

Result<Aligned> align(const Computation& c) {
  if (!c.since(7)) return align_by_attributes(c);
  return Aligned{c.shape(0), c.shape(1), TRY(broadcast(c.shape(0), c.shape(1)))};
}

Loops loops_over(const Shape& result, std::initializer_list<Shape> operands) {
  std::array<Steps, 3> steps{};
  std::ranges::transform(operands, steps.begin(),
                         [&](const Shape& operand) { return broadcast_steps(operand, result); });
  Loops loops;
  std::array<int64_t, limits::kRank> dims{};
  uint32_t rank = 0;
  for (uint32_t i = 0; i < result.rank(); ++i) {
    if (result[i] == 1) continue;
    const auto as_one = [&](size_t k) {
      return loops.steps[k][rank - 1] == steps[k][i] * result[i];
    };
    const bool merged = rank > 0 && as_one(0) && as_one(1) && as_one(2);
    if (!merged) dims[rank++] = 1;
    dims[rank - 1] *= result[i];
    for (size_t k = 0; k < 3; ++k) loops.steps[k][rank - 1] = steps[k][i];
  }
  loops.shape = Shape(std::span(dims).first(rank));
  for (size_t k = 0; rank > 0 && k < 3; ++k) loops.row_steps[k] = loops.steps[k][rank - 1];
  return loops;
}

}  // namespace casemate::engine
