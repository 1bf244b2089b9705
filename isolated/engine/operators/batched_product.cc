// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/batched_product.h"

#include <vector>

#include "base/format.h"

namespace casemate::engine {
namespace {

Shape shape_with(const std::vector<int64_t>& dims) { return Shape(std::span<const int64_t>(dims)); }

// How many dimensions of a shape come before its matrices.
uint32_t batch_rank(const Shape& shape) { return shape.rank() - 2; }

Result<Shape> broadcast_batch(const Shape& a, const Shape& b) {
  const uint32_t rank = std::max(batch_rank(a), batch_rank(b));
  std::vector<int64_t> dims(rank);
  for (uint32_t i = 0; i < rank; ++i) {
    const int64_t left = i < batch_rank(a) ? a[batch_rank(a) - 1 - i] : 1;
    const int64_t right = i < batch_rank(b) ? b[batch_rank(b) - 1 - i] : 1;
    if (left != right && left != 1 && right != 1) {
      return Error{Code::kInvalid, formatted("its inputs of shapes {} and {} do not broadcast to "
                                             "one another",
                                             a.text(), b.text())};
    }
    dims[rank - 1 - i] = left == 1 ? right : left;
  }
  return shape_with(dims);
}

Steps matrix_steps(const Shape& shape, const Shape& batch) {
  const Shape own(shape.dims().first(batch_rank(shape)));
  Steps steps = broadcast_steps(own, batch);
  for (uint32_t i = 0; i < batch.rank(); ++i)
    steps[i] *= shape[shape.rank() - 1] * shape[shape.rank() - 2];
  return steps;
}

}  // namespace

Result<BatchedProduct> BatchedProduct::make(const Shape& a, const Shape& b) {
  if (a.rank() == 0 || b.rank() == 0) {
    return Error{Code::kInvalid, formatted("its inputs have shapes {} and {}, it takes no scalars",
                                           a.text(), b.text())};
  }
  TRY(a.element_count());
  TRY(b.element_count());
  BatchedProduct product{.a = a, .b = b};
  if (a.rank() == 1) product.a = {1, a[0]};
  if (b.rank() == 1) product.b = {b[0], 1};
  const int64_t k = product.b[product.b.rank() - 2];
  if (product.k() != k) {
    return Error{Code::kInvalid, formatted("its inputs of shapes {} and {} do not multiply: there "
                                           "are {} columns and {} rows",
                                           a.text(), b.text(), product.k(), k)};
  }
  const Shape batch = TRY(broadcast_batch(product.a, product.b));
  std::vector<int64_t> dims(batch.dims().begin(), batch.dims().end());
  if (a.rank() > 1) dims.push_back(a[a.rank() - 2]);
  if (b.rank() > 1) dims.push_back(b[b.rank() - 1]);
  product.result = shape_with(dims);
  dims.assign(batch.dims().begin(), batch.dims().end());
  dims.insert(dims.end(), {product.a[product.a.rank() - 2], product.b[product.b.rank() - 1]});
  product.c = shape_with(dims);
  product.a_steps = matrix_steps(product.a, batch);
  product.b_steps = matrix_steps(product.b, batch);
  TRY(product.c.element_count());
  return product;
}

bool BatchedProduct::rows_only() const {
  if (a.rank() != c.rank()) return false;
  for (uint32_t i = 0; i < batch_rank(c); ++i) {
    if (a[i] != c[i] || b_steps[i] != 0) return false;
  }
  return true;
}

}  // namespace casemate::engine
