// SPDX-License-Identifier: Apache-2.0
#pragma once
// Matrix products in registers: a tile of rows by a panel of columns. See vector.h.

#include "isolated/engine/kernels/vector_functions.h"

namespace casemate::engine {
namespace {

constexpr int kTileVectors = CASEMATE_TILE_VECTORS;
constexpr int64_t kTileColumns = kTileVectors * kLanes;
constexpr int64_t kTileRows = 6;

// c[r][j] = sum over k of a[r][k] panel[k][j], for `rows` rows and one panel of columns; a_step and
// c_step lead from row to row.
template <int rows>
CASEMATE_INLINE void multiply_tile(int64_t depth, const float* a, int64_t a_step,
                                   const float* panel, float* c, int64_t c_step) {
  Vector sums[rows][kTileVectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vector b[kTileVectors] = {};
#pragma GCC unroll 8
    for (int j = 0; j < kTileVectors; ++j) b[j] = load(panel + k * kTileColumns + j * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const Vector factor = all(a[r * a_step + k]);
#pragma GCC unroll 8
      for (int j = 0; j < kTileVectors; ++j) sums[r][j] += factor * b[j];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < kTileVectors; ++j) store(c + r * c_step + j * kLanes, sums[r][j]);
  }
}

// The same for any number of rows.
inline void multiply_panel(int64_t rows, int64_t depth, const float* a, int64_t a_step,
                           const float* panel, float* c, int64_t c_step) {
  for (; rows >= kTileRows; rows -= kTileRows, a += kTileRows * a_step, c += kTileRows * c_step)
    multiply_tile<kTileRows>(depth, a, a_step, panel, c, c_step);
  switch (rows) {
    case 5:
      return multiply_tile<5>(depth, a, a_step, panel, c, c_step);
    case 4:
      return multiply_tile<4>(depth, a, a_step, panel, c, c_step);
    case 3:
      return multiply_tile<3>(depth, a, a_step, panel, c, c_step);
    case 2:
      return multiply_tile<2>(depth, a, a_step, panel, c, c_step);
    case 1:
      return multiply_tile<1>(depth, a, a_step, panel, c, c_step);
    default:
      return;
  }
}

// --- few rows: the weights are read once, as fast as memory gives them

// One vector of results: bias, addend, activation.
CASEMATE_INLINE void finish(const FewRowsProduct& given, Vector sum, int64_t column, int64_t at,
                            int64_t left) {
  const auto read = [&](const float* from) {
    return left == kLanes ? load(from) : load_part(from, left);
  };
  if (given.bias != nullptr) sum += read(given.bias + column);
  if (given.activates_first) sum = activated(given.activation, sum);
  if (given.addend != nullptr) sum += read(given.addend + at);
  if (!given.activates_first) sum = activated(given.activation, sum);
  if (left == kLanes) {
    store(given.y + at, sum);
  } else {
    store_part(given.y + at, sum, left);
  }
}

// Some rows by one panel, 64 columns wide, of which `columns` are wanted.
template <int rows>
CASEMATE_INLINE void multiply_wide(const FewRowsProduct& given, int64_t first_row, int64_t panel) {
  // As many columns at once as leave registers for the rows.
  constexpr int64_t kSlice =
      rows * (FewRowsProduct::kPanel / kLanes) <= 16 ? FewRowsProduct::kPanel : kTileColumns;
  constexpr int64_t kVectors = kSlice / kLanes;
  constexpr int64_t kAhead = 2048;  // floats that are fetched before they are needed
  const float* weights = given.panels + panel * given.panel_floats;
  const float* x = given.x + first_row * given.depth;
  for (int64_t slice = 0; slice < FewRowsProduct::kPanel; slice += kSlice) {
    Vector sums[rows][kVectors] = {};
    for (int64_t k = 0; k < given.depth; ++k) {
      const float* w = weights + k * FewRowsProduct::kPanel + slice;
      for (int64_t j = 0; j < kSlice; j += 16) __builtin_prefetch(w + kAhead + j);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Vector factor = all(x[r * given.depth + k]);
#pragma GCC unroll 16
        for (int64_t j = 0; j < kVectors; ++j) sums[r][j] += factor * load(w + j * kLanes);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (int64_t j = 0; j < kVectors; ++j) {
        const int64_t column = panel * FewRowsProduct::kPanel + slice + j * kLanes;
        const int64_t left = given.columns - column < kLanes ? given.columns - column : kLanes;
        if (left <= 0) continue;
        const int64_t at = (first_row + r) * given.columns + column;
        finish(given, sums[r][j], column, at, left);
      }
    }
  }
}

void multiply_few_rows(const FewRowsProduct& given) {
  for (int64_t panel = given.first_panel; panel < given.last_panel; ++panel) {
    int64_t row = 0;
    for (; row + 4 <= given.rows; row += 4) multiply_wide<4>(given, row, panel);
    for (; row + 2 <= given.rows; row += 2) multiply_wide<2>(given, row, panel);
    for (; row < given.rows; ++row) multiply_wide<1>(given, row, panel);
  }
}

}  // namespace
}  // namespace casemate::engine
