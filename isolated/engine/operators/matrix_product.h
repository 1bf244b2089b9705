// SPDX-License-Identifier: Apache-2.0
#pragma once
// Matrix products, for whatever is made of them: C = A B, or C += A B, with A of [m,k], B of [k,n]
// and C of [m,n] lying in memory with any steps, so that a transposed operand is one whose steps
// are exchanged.
//
//   multiply<float>({.m = 2, .n = 3, .k = 4,
//                    .a = {x, 4},               // x: dense [2,4]
//                    .b = transposed({w, 4}),   // w: dense [3,4]
//                    .c = {y, 3}});
//
// Elements are widened as they are packed into blocks that stay in the caches, and rounded once,
// when C is stored. The order of additions follows from m, n and k alone: equal inputs give
// equal bits. Integers wrap.
//
//   Owns     nothing.
//   Threads  pure functions, but for C.
//   Trust    callers have checked that all steps stay inside the operands.
//   Fails    never.

#include <cstdint>

#include "isolated/engine/operators/types.h"

namespace casemate::engine {

// A matrix in memory: its first element, and how many elements further the next row and the next
// column begin.
template <class T>
struct Matrix {
  T* elements = nullptr;
  int64_t row_step = 0;
  int64_t column_step = 1;
};

template <class T>
Matrix<T> transposed(const Matrix<T>& matrix) {
  return {matrix.elements, matrix.column_step, matrix.row_step};
}

// C may be of another type than A and B.
template <class T, class R = T>
struct MatrixProduct {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  Matrix<const T> a = {};
  Matrix<const T> b = {};
  Matrix<R> c = {};
  bool accumulate = false;  // adds to what C holds
};

// Defined for the floats and for integers of 32 and 64 bits, with R = T or R = Wide<T>. Requires:
// m, n, k >= 0; C shares no memory with A and B.
template <class T, class R = T>
void multiply(const MatrixProduct<T, R>& product);

}  // namespace casemate::engine
