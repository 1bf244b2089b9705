// SPDX-License-Identifier: Apache-2.0
// The determinant of square matrices.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

// By Gaussian elimination; the row with the greatest element goes first. Destroys the matrix.
double determinant(std::vector<double>& matrix, int64_t size) {
  const auto row = [&](int64_t i) { return matrix.begin() + i * size; };
  double product = 1;
  for (int64_t i = 0; i < size; ++i) {
    int64_t pivot = i;
    for (int64_t j = i + 1; j < size; ++j) {
      if (std::abs(row(j)[i]) > std::abs(row(pivot)[i])) pivot = j;
    }
    if (pivot != i) {
      std::swap_ranges(row(i), row(i + 1), row(pivot));
      product = -product;
    }
    const double diagonal = row(i)[i];
    product *= diagonal;
    if (diagonal == 0) return 0;
    for (int64_t j = i + 1; j < size; ++j) {
      const double factor = row(j)[i] / diagonal;
      for (int64_t k = i + 1; k < size; ++k) row(j)[k] -= factor * row(i)[k];
    }
  }
  return product;
}

Status compute_determinant(Computation& c) {
  const Shape& shape = c.shape(0);
  const uint32_t rank = shape.rank();
  if (rank < 2 || shape[rank - 1] != shape[rank - 2]) {
    return Error{Code::kInvalid,
                 formatted("its input has shape {}, it takes square matrices", shape.text())};
  }
  const int64_t size = shape[rank - 1];
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, Shape(shape.dims().first(rank - 2))));
    const auto x = TRY(c.values<T>(0));
    std::vector<double> matrix(y.empty() ? 0 : x.size() / y.size());
    for (size_t i = 0; i < y.size(); ++i) {
      std::ranges::transform(x.subspan(i * matrix.size(), matrix.size()), matrix.begin(),
                             [](T value) { return real_of(value); });
      y[i] = static_cast<T>(determinant(matrix, size));
    }
    return {};
  });
}

}  // namespace

void add_determinant(Operators& operators) { operators.add("Det", compute_determinant); }

}  // namespace casemate::engine
