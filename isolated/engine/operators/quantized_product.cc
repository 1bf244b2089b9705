// SPDX-License-Identifier: Apache-2.0
// Products of matrices of 8-bit integers with zero points and scales, which all elements share, or
// a row of the first matrix, or a column of the second one.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/batched_product.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

using Quantized = Types<int8_t, uint8_t>;

enum class Side : uint8_t { kRows, kColumns };  // what has parameters of its own

// How the parameters in an input lie over a tensor of shape `over`. Those of rows may come as a
// vector, where broadcasting would take them for those of columns.
Result<Steps> parameter_steps(Computation& c, size_t input, const Shape& over, Side side) {
  const Shape& given = c.shape(input);
  Shape shape = given;
  if (given.rank() == 1 && side == Side::kRows && given[0] != 1) shape = {given[0], 1};
  const uint32_t constant = side == Side::kRows ? 1 : 2;  // the dimension that has but one of them
  const bool fits = shape.rank() < constant || shape[shape.rank() - constant] == 1;
  if (!fits || !broadcastable(shape, over)) {
    return Error{
        Code::kInvalid,
        formatted("its input {} of shape {} is neither one for all of a tensor of shape "
                  "{} nor one for each of its {}",
                  input, given.text(), over.text(), side == Side::kRows ? "rows" : "columns")};
  }
  return broadcast_steps(shape, over);
}

// The elements of an input of 8-bit integers.
Result<std::vector<int32_t>> integers_of(Computation& c, size_t input) {
  std::vector<int32_t> values;
  TRY(for_type(Quantized{}, c.type(input), [&]<class T>() -> Status {
    const auto found = TRY(c.values<T>(input));
    values.assign(found.begin(), found.end());
    return {};
  }));
  return values;
}

// A matrix of a product, and where its zero points are; none: they are 0.
struct Operand {
  size_t values;
  size_t zero_point;
  Steps steps{};
};

Result<Operand> operand_of(Computation& c, size_t values, size_t zero_point, const Shape& shape,
                           Side side) {
  Operand operand{.values = values, .zero_point = zero_point};
  if (!c.has(zero_point)) return operand;
  if (c.type(zero_point) != c.type(values)) {
    return Error{Code::kInvalid,
                 formatted("its input {} is of {}, and its zero point of {}", values,
                           name_of(c.type(values)), name_of(c.type(zero_point)))};
  }
  operand.steps = TRY(parameter_steps(c, zero_point, shape, side));
  return operand;
}

// The elements less their zero points.
Result<std::vector<int32_t>> centered(Computation& c, const Operand& operand, const Shape& shape) {
  std::vector<int32_t> values = TRY(integers_of(c, operand.values));
  if (!c.has(operand.zero_point)) return values;
  const std::vector<int32_t> zeros = TRY(integers_of(c, operand.zero_point));
  const int64_t step = operand.steps[shape.rank() - 1];
  auto value = values.begin();
  for_each_row(shape, std::array<Steps, 1>{operand.steps}, [&](const auto& at, int64_t columns) {
    for (int64_t i = 0; i < columns; ++i) *value++ -= zeros[at[0] + i * step];
  });
  return values;
}

Status compute_integer_product(Computation& c) {
  const BatchedProduct product = TRY(BatchedProduct::make(c.shape(0), c.shape(1)));
  const Operand left = TRY(operand_of(c, 0, 2, product.a, Side::kRows));
  const Operand right = TRY(operand_of(c, 1, 3, product.b, Side::kColumns));
  const auto y = TRY(c.make<int32_t>(0, product.result));
  const std::vector<int32_t> a = TRY(centered(c, left, product.a));
  const std::vector<int32_t> b = TRY(centered(c, right, product.b));
  product.run(a.data(), b.data(), y.data());
  return {};
}

// Scales by input: 1 of A, 4 of B, 6 of the result.
struct Scales {
  std::vector<double> values;
  Steps steps{};  // over the result
};

Result<Steps> scale_steps(Computation& c, size_t input, const BatchedProduct& product) {
  return parameter_steps(c, input, product.c, input == 4 ? Side::kColumns : Side::kRows);
}

// y = round(product * a_scale * b_scale / y_scale) + zero point, held in its type
template <class T>
void requantize(const Shape& shape, const std::array<Scales, 3>& scales,
                const std::vector<int32_t>& products, const std::vector<T>& zeros,
                const Steps& zero_steps, T* y) {
  const auto [a, b, out] = std::array{scales[0].steps, scales[1].steps, scales[2].steps};
  const uint32_t last = shape.rank() - 1;
  size_t done = 0;
  for_each_row(shape, std::array{a, b, out, zero_steps}, [&](const auto& at, int64_t columns) {
    for (int64_t i = 0; i < columns; ++i, ++done) {
      const double scale = scales[0].values[at[0] + i * a[last]] *
                           scales[1].values[at[1] + i * b[last]] /
                           scales[2].values[at[2] + i * out[last]];
      const double zero = zeros[at[3] + i * zero_steps[last]];
      y[done] = element_from<T>(std::nearbyint(products[done] * scale) + zero);
    }
  });
}

Status compute_quantized_product(Computation& c) {
  const BatchedProduct product = TRY(BatchedProduct::make(c.shape(0), c.shape(3)));
  const Operand left = TRY(operand_of(c, 0, 2, product.a, Side::kRows));
  const Operand right = TRY(operand_of(c, 3, 5, product.b, Side::kColumns));
  std::array<Scales, 3> scales;
  constexpr size_t kInputs[] = {1, 4, 6};
  for (size_t i = 0; i < 3; ++i) scales[i].steps = TRY(scale_steps(c, kInputs[i], product));
  const Steps zero_steps = TRY(scale_steps(c, 7, product));
  return for_type(Quantized{}, c.type(7), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, product.result));
    const std::vector<int32_t> a = TRY(centered(c, left, product.a));
    const std::vector<int32_t> b = TRY(centered(c, right, product.b));
    for (size_t i = 0; i < 3; ++i) scales[i].values = TRY(reals(c, kInputs[i]));
    const auto zeros = TRY(c.values<T>(7));
    std::vector<int32_t> products(y.size());
    product.run(a.data(), b.data(), products.data());
    requantize(product.c, scales, products, std::vector<T>(zeros.begin(), zeros.end()), zero_steps,
               y.data());
    return {};
  });
}

}  // namespace

void add_quantized_product(Operators& operators) {
  operators.add("MatMulInteger", compute_integer_product);
  operators.add("QLinearMatMul", compute_quantized_product);
}

}  // namespace casemate::engine
