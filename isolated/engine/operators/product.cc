// SPDX-License-Identifier: Apache-2.0
// Products of matrices of floats, and of integers that wrap.
#include "base/format.h"
#include "isolated/engine/operators/batched_product.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

using Factors = decltype(Floats{} + Types<int32_t, int64_t, uint32_t, uint64_t>{});

Status compute_matrix_product(Computation& c) {
  const BatchedProduct product = TRY(BatchedProduct::make(c.shape(0), c.shape(1)));
  return for_type(Factors{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, product.result));
    const auto a = TRY(c.values<T>(0));
    const auto b = TRY(c.values<T>(1));
    product.run(a.data(), b.data(), y.data());
    return {};
  });
}

// Y = alpha A B + beta C
struct Gemm {
  int64_t m;
  int64_t n;
  int64_t k;
  bool a_transposed;
  bool b_transposed;
  double alpha;
  double beta;
  bool adds = false;  // whether there is a C that counts
  Steps c_steps{};

  [[nodiscard]] Shape shape() const { return {m, n}; }
};

Result<Gemm> gemm_of(Computation& c) {
  const Attributes& attributes = c.attributes();
  Gemm gemm{.a_transposed = attributes.integer("transA", 0) != 0,
            .b_transposed = attributes.integer("transB", 0) != 0,
            .alpha = static_cast<double>(attributes.real("alpha", 1)),
            .beta = static_cast<double>(attributes.real("beta", 1))};
  const Shape& a = c.shape(0);
  const Shape& b = c.shape(1);
  if (a.rank() != 2 || b.rank() != 2) {
    return Error{Code::kInvalid, formatted("its inputs have shapes {} and {}, it takes matrices",
                                           a.text(), b.text())};
  }
  gemm.m = a[gemm.a_transposed ? 1 : 0];
  gemm.k = a[gemm.a_transposed ? 0 : 1];
  gemm.n = b[gemm.b_transposed ? 0 : 1];
  const int64_t rows = b[gemm.b_transposed ? 1 : 0];
  if (gemm.k != rows) {
    return Error{Code::kInvalid, formatted("its matrices do not multiply: A has {} columns, and B "
                                           "{} rows",
                                           gemm.k, rows)};
  }
  // A beta of 0 leaves C out, whatever it holds.
  gemm.adds = c.has(2) && gemm.beta != 0;
  if (!gemm.adds) gemm.beta = 1;
  if (!c.has(2)) return gemm;
  // Before version 7 an attribute said whether C is broadcast; there is but one way to do it.
  if (!broadcastable(c.shape(2), gemm.shape())) {
    return Error{Code::kInvalid, formatted("its C of shape {} does not broadcast to {}",
                                           c.shape(2).text(), gemm.shape().text())};
  }
  TRY(gemm.shape().element_count());
  gemm.c_steps = broadcast_steps(c.shape(2), gemm.shape());
  return gemm;
}

// One element of Y. Integers are computed in double precision only where they must be.
template <class T>
T scaled(const Gemm& gemm, Wide<T> product, Wide<T> added) {
  using W = Wide<T>;
  if constexpr (kFloating<T>) {
    return static_cast<T>(static_cast<W>(gemm.alpha) * product + static_cast<W>(gemm.beta) * added);
  } else {
    if (gemm.alpha == 1 && gemm.beta == 1)
      return static_cast<T>(static_cast<Wrapping<T>>(product) + static_cast<Wrapping<T>>(added));
    return element_from<T>(gemm.alpha * static_cast<double>(product) +
                           gemm.beta * static_cast<double>(added));
  }
}

template <class T>
void run_gemm(const Gemm& gemm, const T* a, const T* b, const T* c, T* y) {
  using W = Wide<T>;
  MatrixProduct<T, W> product{.m = gemm.m, .n = gemm.n, .k = gemm.k};
  product.a =
      gemm.a_transposed ? transposed(Matrix<const T>{a, gemm.m}) : Matrix<const T>{a, gemm.k};
  product.b =
      gemm.b_transposed ? transposed(Matrix<const T>{b, gemm.k}) : Matrix<const T>{b, gemm.n};
  // 16-bit floats are rounded after C was added.
  std::vector<W> wide;
  if constexpr (std::is_same_v<T, W>) {
    product.c = {y, gemm.n};
  } else {
    wide.resize(static_cast<size_t>(gemm.m * gemm.n));
    product.c = {wide.data(), gemm.n};
  }
  multiply(product);
  for (int64_t i = 0; i < gemm.m; ++i) {
    const W* from = product.c.elements + i * gemm.n;
    T* to = y + i * gemm.n;
    for (int64_t j = 0; j < gemm.n; ++j) {
      const int64_t at = i * gemm.c_steps[0] + j * gemm.c_steps[1];
      to[j] = scaled<T>(gemm, from[j], gemm.adds ? static_cast<W>(c[at]) : W{});
    }
  }
}

Status compute_gemm(Computation& c) {
  const Gemm gemm = TRY(gemm_of(c));
  return for_type(Factors{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, gemm.shape()));
    const auto a = TRY(c.values<T>(0));
    const auto b = TRY(c.values<T>(1));
    const auto added = gemm.adds ? TRY(c.values<T>(2)) : std::span<const T>();
    if (!y.empty()) run_gemm(gemm, a.data(), b.data(), added.data(), y.data());
    return {};
  });
}

}  // namespace

void add_product(Operators& operators) {
  operators.add("Gemm", compute_gemm);
  operators.add("MatMul", compute_matrix_product);
}

}  // namespace casemate::engine
