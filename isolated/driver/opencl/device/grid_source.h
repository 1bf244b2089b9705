// SPDX-License-Identifier: Apache-2.0
#pragma once
// What kernels begin with that walk over a RecipeGrid: the grid as the device sees it, and where
// operand `k` begins in a row. A macro, since literals are joined by the compiler alone.

#define CASEMATE_GRID_SOURCE \
  R"cl(
typedef struct { int rank, columns; int extent[8]; int step[4][8]; int column_step[4];
                 int first[4]; } Grid;
int place(const Grid* g, int k, int row) {
  int at = g->first[k];
  for (int d = g->rank - 1; d >= 0; --d) {
    at += row % g->extent[d] * g->step[k][d];
    row /= g->extent[d];
  }
  return at;
}
)cl"
