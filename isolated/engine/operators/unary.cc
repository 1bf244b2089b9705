// SPDX-License-Identifier: Apache-2.0
// Operators that make of each element another one of the same type.
#include <cmath>

#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

template <class List, auto function>
Status compute_unary(Computation& c) {
  return for_type(List{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    for (size_t i = 0; i < x.size(); ++i)
      y[i] = static_cast<T>(function(static_cast<Wide<T>>(x[i])));
    return {};
  });
}

// Two's complement: the lowest number is its own negative.
constexpr auto kNegated = []<class W>(W x) {
  if constexpr (std::is_integral_v<W>) {
    return static_cast<W>(Wrapping<W>{} - static_cast<Wrapping<W>>(x));
  } else {
    return -x;
  }
};

constexpr auto kAbsolute = []<class W>(W x) {
  if constexpr (std::is_unsigned_v<W>) {
    return x;
  } else if constexpr (std::is_integral_v<W>) {
    return x < 0 ? kNegated(x) : x;
  } else {
    return std::abs(x);
  }
};

constexpr auto kSign = []<class W>(W x) { return static_cast<W>((x > W{}) - (x < W{})); };

}  // namespace

void add_unary(Operators& operators) {
  operators.add("Neg", compute_unary<Numbers, kNegated>);
  operators.add("Abs", compute_unary<Numbers, kAbsolute>);
  operators.add("Sign", compute_unary<Numbers, kSign>);
  // To the nearest integer, to the even one of two.
  operators.add("Round", compute_unary<Floats, [](auto x) { return std::nearbyint(x); }>);
  operators.add("Exp", compute_unary<Floats, [](auto x) { return std::exp(x); }>);
}

}  // namespace casemate::engine
