// SPDX-License-Identifier: Apache-2.0
#pragma once
// The matrix product of two tensors as numpy.matmul defines it: the last two dimensions are
// matrices, those before them are broadcast, and a vector is a matrix of one row or one column that
// is left out of the result.
//
//   Owns     its shapes.
//   Threads  a value type.
//   Trust    shapes may be anything.
//   Fails    make() with kInvalid for shapes that do not fit.

#include "isolated/engine/graph/box.h"
#include "isolated/engine/operators/matrix_product.h"

namespace casemate::engine {

struct BatchedProduct {
  // All with their two dimensions of matrices, and C with those that are broadcast.
  Shape a;       // [..., m, k]
  Shape b;       // [..., k, n]
  Shape c;       // [..., m, n]
  Shape result;  // c, without the dimensions that vectors have not
  // From one matrix to the next, for each dimension before the last two of C.
  Steps a_steps{};
  Steps b_steps{};

  static Result<BatchedProduct> make(const Shape& a, const Shape& b);

  [[nodiscard]] int64_t m() const { return c[c.rank() - 2]; }
  [[nodiscard]] int64_t n() const { return c[c.rank() - 1]; }
  [[nodiscard]] int64_t k() const { return a[a.rank() - 1]; }
  // The dimensions before the matrices.
  [[nodiscard]] Shape batch() const { return Shape(c.dims().first(c.rank() - 2)); }

  // Requires: T is one of those that matrix_product.h knows; the operands have these shapes.
  template <class T>
  void run(const T* x, const T* y, T* z) const {
    if (*c.element_count() == 0) return;
    MatrixProduct<T> one{.m = m(), .n = n(), .k = k(), .a = {x, k()}, .b = {y, n()}, .c = {z, n()}};
    if (rows_only()) {
      one.m *= static_cast<int64_t>(*batch().element_count());
      return multiply(one);
    }
    const int64_t a_step = c.rank() == 2 ? 0 : a_steps[c.rank() - 3];
    const int64_t b_step = c.rank() == 2 ? 0 : b_steps[c.rank() - 3];
    for_each_row(batch(), std::array{a_steps, b_steps}, [&](const auto& at, int64_t columns) {
      for (int64_t i = 0; i < columns; ++i, one.c.elements += m() * n()) {
        one.a.elements = x + at[0] + i * a_step;
        one.b.elements = y + at[1] + i * b_step;
        multiply(one);
      }
    });
  }

 private:
  // True when all matrices of A, one below the other, are multiplied with the same one.
  [[nodiscard]] bool rows_only() const;
};

}  // namespace casemate::engine
