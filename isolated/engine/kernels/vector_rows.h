// SPDX-License-Identifier: Apache-2.0
#pragma once
// Loops over rows: layer normalization. See vector.h.

#include "isolated/engine/kernels/vector.h"

namespace casemate::engine {
namespace {

struct RowSums {
  float values = 0;
  float squares = 0;
};

// Sums of what is left of the elements, and of its squares, when `less` is taken from each.
CASEMATE_INLINE RowSums sums_of(const float* x, int64_t count, float less) {
  Vector values[2] = {};
  Vector squares[2] = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    const Vector a = load(x + i) - less;
    const Vector b = load(x + i + kLanes) - less;
    values[0] += a;
    values[1] += b;
    squares[0] += a * a;
    squares[1] += b * b;
  }
  for (; i < count; i += kLanes) {
    const int64_t left = count - i < kLanes ? count - i : kLanes;
    const Vector a = load_part(x + i, left, less) - less;
    values[0] += a;
    squares[0] += a * a;
  }
  return {sum_of(values[0] + values[1]), sum_of(squares[0] + squares[1])};
}

// In two passes. The mean's own rounding, which a large mean makes large, is taken out of both the
// variance and the result.
CASEMATE_INLINE void normalize_row(const RowNormalization& given, const float* x, float* y) {
  const int64_t count = given.columns;
  const auto inverse_count = 1.0F / static_cast<float>(count);
  const float mean = sums_of(x, count, 0).values * inverse_count;
  const RowSums rest = sums_of(x, count, mean);
  const float shift = rest.values * inverse_count;
  const float variance = rest.squares * inverse_count - shift * shift;
  const float factor = 1.0F / std::sqrt(variance + given.epsilon);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Vector scaled = ((load(x + i) - mean) - shift) * (load(given.scale + i) * factor);
    store(y + i, given.shift == nullptr ? scaled : scaled + load(given.shift + i));
  }
  for (; i < count; ++i) {
    const float scaled = ((x[i] - mean) - shift) * (given.scale[i] * factor);
    y[i] = given.shift == nullptr ? scaled : scaled + given.shift[i];
  }
}

void normalize_rows(const RowNormalization& given) {
  for (int64_t row = 0; row < given.rows; ++row)
    normalize_row(given, given.x + row * given.columns, given.y + row * given.columns);
}

}  // namespace
}  // namespace casemate::engine
