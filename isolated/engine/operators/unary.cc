// SPDX-License-Identifier: Apache-2.0
// Operators that make of each element another one, by a function that takes nothing else.
#include <cmath>

#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

template <class List, auto function>
Status compute_unary(Computation& c) {
  return map_elements<List>(c, function);
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

// A float that is no number has no sign either: it stays what it is.
constexpr auto kSign = []<class W>(W x) {
  if constexpr (std::is_floating_point_v<W>) {
    if (std::isnan(x)) return x;
  }
  return static_cast<W>((x > W{}) - (x < W{}));
};

// Of integers too: all but 0 lose their fraction, up to those whose value rounds to 1.
constexpr auto kErf = []<class W>(W x) {
  if constexpr (std::is_integral_v<W>) {
    return static_cast<W>(std::erf(static_cast<double>(x)));
  } else {
    return std::erf(x);
  }
};

constexpr auto kBitsNegated = []<class W>(W x) { return static_cast<W>(~x); };

Status compute_not(Computation& c) {
  return map_elements<Types<bool>>(c, [](uint8_t x) { return x == 0; });
}

Status compute_is_nan(Computation& c) {
  return map_elements<Floats, bool>(c, [](auto x) { return std::isnan(x); });
}

Status compute_is_inf(Computation& c) {
  const bool negative = c.attributes().integer("detect_negative", 1) != 0;
  const bool positive = c.attributes().integer("detect_positive", 1) != 0;
  return map_elements<Floats, bool>(
      c, [=](auto x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

// Whatever it is: a tensor, a sequence, or an optional with one of them or with nothing.
Status compute_identity(Computation& c) {
  if (!c.has(0)) return c.give(0, Datum());
  if (c.type(0) != ElementType::kNone) return c.give_reshaped(0, 0, c.shape(0));
  return c.give(0, *TRY(c.datum(0)));
}

void add_trigonometry(Operators& operators) {
  operators.add("Sin", compute_unary<Floats, [](auto x) { return std::sin(x); }>);
  operators.add("Cos", compute_unary<Floats, [](auto x) { return std::cos(x); }>);
  operators.add("Tan", compute_unary<Floats, [](auto x) { return std::tan(x); }>);
  operators.add("Asin", compute_unary<Floats, [](auto x) { return std::asin(x); }>);
  operators.add("Acos", compute_unary<Floats, [](auto x) { return std::acos(x); }>);
  operators.add("Atan", compute_unary<Floats, [](auto x) { return std::atan(x); }>);
  operators.add("Sinh", compute_unary<Floats, [](auto x) { return std::sinh(x); }>);
  operators.add("Cosh", compute_unary<Floats, [](auto x) { return std::cosh(x); }>);
  operators.add("Tanh", compute_unary<Floats, [](auto x) { return std::tanh(x); }>);
  operators.add("Asinh", compute_unary<Floats, [](auto x) { return std::asinh(x); }>);
  operators.add("Acosh", compute_unary<Floats, [](auto x) { return std::acosh(x); }>);
  operators.add("Atanh", compute_unary<Floats, [](auto x) { return std::atanh(x); }>);
}

}  // namespace

void add_unary(Operators& operators) {
  operators.add("Neg", compute_unary<Numbers, kNegated>);
  operators.add("Abs", compute_unary<Numbers, kAbsolute>);
  operators.add("Sign", compute_unary<Numbers, kSign>);
  // To the nearest integer, to the even one of two.
  operators.add("Round", compute_unary<Floats, [](auto x) { return std::nearbyint(x); }>);
  operators.add("Floor", compute_unary<Floats, [](auto x) { return std::floor(x); }>);
  operators.add("Ceil", compute_unary<Floats, [](auto x) { return std::ceil(x); }>);
  operators.add("Exp", compute_unary<Floats, [](auto x) { return std::exp(x); }>);
  operators.add("Log", compute_unary<Floats, [](auto x) { return std::log(x); }>);
  operators.add("Sqrt", compute_unary<Floats, [](auto x) { return std::sqrt(x); }>);
  operators.add("Reciprocal", compute_unary<Floats, [](auto x) { return 1 / x; }>);
  operators.add("Erf", compute_unary<Numbers, kErf>);
  operators.add("BitwiseNot", compute_unary<Integers, kBitsNegated>);
  operators.add("Not", compute_not);
  operators.add("IsNaN", compute_is_nan);
  operators.add("IsInf", compute_is_inf);
  operators.add("Identity", compute_identity);
  add_trigonometry(operators);
}

}  // namespace casemate::engine
