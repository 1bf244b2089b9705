// SPDX-License-Identifier: Apache-2.0
// Operators of any number of operands. 16-bit floats are rounded after each of them, as in ONNX's
// reference.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/broadcast.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// Since operator set 8 the operands are broadcast to each other; before, they have one shape.
Result<Shape> common_shape(const Computation& c) {
  Shape shape = c.shape(0);
  for (size_t i = 1; i < c.input_count(); ++i) {
    if (!c.since(8) && c.shape(i) != shape) {
      return Error{Code::kInvalid,
                   formatted("its operands have the shapes {} and {}, which must be equal",
                             shape.text(), c.shape(i).text())};
    }
    shape = TRY(broadcast(shape, c.shape(i)));
  }
  return shape;
}

// y = function(...function(function(x0, x1), x2)..., xn), where y becomes each of these in turn.
template <class T, class Function>
Result<std::span<T>> fold(Computation& c, Function function) {
  const Shape shape = TRY(common_shape(c));
  const auto y = TRY(c.make<T>(0, shape));
  const auto first = TRY(c.values<T>(0));
  if (c.input_count() == 1) std::ranges::copy(first, y.begin());
  for (size_t i = 1; i < c.input_count(); ++i) {
    const auto x = TRY(c.values<T>(i));
    const Aligned shapes{i == 1 ? c.shape(0) : shape, c.shape(i), shape};
    combine_elements(shapes, i == 1 ? first.data() : y.data(), x.data(), y.data(), function);
  }
  return y;
}

template <class List, auto function>
Status compute_fold(Computation& c) {
  return for_type(List{}, c.type(0), [&]<class T>() -> Status {
    TRY(fold<T>(c, function));
    return {};
  });
}

constexpr auto kSum = [](auto a, auto b) { return a + b; };

// What is no number wins, whichever side it stands on.
constexpr auto kLarger = []<class W>(W a, W b) { return a < b || b != b ? b : a; };
constexpr auto kSmaller = []<class W>(W a, W b) { return b < a || b != b ? b : a; };

Status compute_mean(Computation& c) {
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(fold<T>(c, kSum));
    const auto count = static_cast<Wide<T>>(c.input_count());
    for (T& element : y) element = narrowed<T>(widened(element) / count);
    return {};
  });
}

}  // namespace

void add_variadic(Operators& operators) {
  operators.add("Max", compute_fold<Numbers, kLarger>);
  operators.add("Min", compute_fold<Numbers, kSmaller>);
  operators.add("Mean", compute_mean);
  operators.add("Sum", compute_fold<Floats, kSum>);
}

}  // namespace casemate::engine
