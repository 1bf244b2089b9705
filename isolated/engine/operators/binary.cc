// SPDX-License-Identifier: Apache-2.0
// Arithmetic and bits of two operands. Integers wrap; dividing them by 0 gives 0, as in NumPy.
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/broadcast.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

template <class List, auto function>
Status compute_binary(Computation& c) {
  const Aligned shapes = TRY(align(c));
  return for_type(List{}, c.type(0),
                  [&]<class T>() -> Status { return combine<T, T, T>(c, shapes, function); });
}

constexpr auto kSum = []<class W>(W a, W b) {
  return static_cast<W>(static_cast<Wrapping<W>>(a) + static_cast<Wrapping<W>>(b));
};
constexpr auto kDifference = []<class W>(W a, W b) {
  return static_cast<W>(static_cast<Wrapping<W>>(a) - static_cast<Wrapping<W>>(b));
};
constexpr auto kProduct = []<class W>(W a, W b) {
  return static_cast<W>(static_cast<Wrapping<W>>(a) * static_cast<Wrapping<W>>(b));
};

// Towards 0 for integers, whose lowest number divided by -1 is itself.
constexpr auto kQuotient = []<class W>(W a, W b) {
  if constexpr (std::is_floating_point_v<W>) {
    return a / b;
  } else {
    if (b == 0) return W{};
    if constexpr (std::is_signed_v<W>) {
      if (b == -1) return kDifference(W{}, a);
    }
    return static_cast<W>(a / b);
  }
};

// The remainder of a division towards 0: it has the sign of the dividend.
constexpr auto kRemainder = []<class W>(W a, W b) {
  if constexpr (std::is_floating_point_v<W>) {
    return std::fmod(a, b);
  } else {
    if (b == 0) return W{};
    if constexpr (std::is_signed_v<W>) {
      if (b == -1) return W{};
    }
    return static_cast<W>(a % b);
  }
};

// The remainder of a division towards minus infinity: it has the sign of the divisor.
constexpr auto kModulus = []<class W>(W a, W b) {
  const W rest = kRemainder(a, b);
  if (rest == 0) {
    if constexpr (std::is_floating_point_v<W>) return std::copysign(rest, b);
    return rest;
  }
  return (rest < 0) == (b < 0) ? rest : static_cast<W>(rest + b);
};

Status compute_mod(Computation& c) {
  if (c.attributes().integer("fmod", 0) != 0) return compute_binary<Numbers, kRemainder>(c);
  return compute_binary<Numbers, kModulus>(c);
}

// Integers to the power of integers stay exact, and wrap. Below 0 the power is a fraction, of which
// nothing is left unless the base is 1 or -1; that of 0 does not exist, and 0 stands for it.
template <class W, class Exponent>
W integer_power(W base, Exponent exponent) {
  const bool odd = (exponent & 1) != 0;
  if (exponent < 0) {
    if (base == 1) return 1;
    return base == W(-1) ? (odd ? W(-1) : W(1)) : W{};
  }
  Wrapping<W> factor = static_cast<Wrapping<W>>(base);
  Wrapping<W> power = 1;
  for (auto left = static_cast<std::make_unsigned_t<Exponent>>(exponent); left != 0; left /= 2) {
    if ((left & 1) != 0) power *= factor;
    factor *= factor;
  }
  return static_cast<W>(power);
}

// In the wider of both types, as NumPy does; float32 to an integer in double.
constexpr auto kPower = []<class W, class Exponent>(W base, Exponent exponent) {
  if constexpr (std::is_integral_v<W> && std::is_integral_v<Exponent>) {
    return integer_power(base, exponent);
  } else if constexpr (std::is_same_v<W, float> && std::is_same_v<Exponent, float>) {
    return std::pow(base, exponent);
  } else {
    return converted<W>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
};

// Squares, which is what powers are mostly used for, need no function of the library.
template <class Base, class Exponent>
bool squares(Computation& c, std::span<const Exponent> exponents) {
  return kFloating<Base> && c.shape(1).rank() <= c.shape(0).rank() && exponents.size() == 1 &&
         widened(exponents[0]) == 2;
}

Status compute_pow(Computation& c) {
  const Aligned shapes = TRY(align(c));
  using Bases = decltype(Floats{} + Types<int32_t, int64_t>{});
  return for_type(Bases{}, c.type(0), [&]<class Base>() -> Status {
    return for_type(Numbers{}, c.type(1), [&]<class Exponent>() -> Status {
      const auto z = TRY(c.make<Base>(0, shapes.result));
      const auto x = TRY(c.values<Base>(0));
      const auto y = TRY(c.values<Exponent>(1));
      if (squares<Base, Exponent>(c, y)) {
        for (size_t i = 0; i < x.size(); ++i) z[i] = narrowed<Base>(widened(x[i]) * widened(x[i]));
      } else {
        combine_elements(shapes, x.data(), y.data(), z.data(), kPower);
      }
      return {};
    });
  });
}

// Bits that are shifted out are lost, all of them when there are as many.
constexpr auto kShiftedLeft = []<class W>(W x, W by) {
  return by < std::numeric_limits<W>::digits ? static_cast<W>(uint64_t{x} << by) : W{};
};
constexpr auto kShiftedRight = []<class W>(W x, W by) {
  return by < std::numeric_limits<W>::digits ? static_cast<W>(x >> by) : W{};
};

Status compute_bit_shift(Computation& c) {
  const std::string direction = c.attributes().text("direction", "");
  if (direction == "LEFT") return compute_binary<Unsigned, kShiftedLeft>(c);
  if (direction == "RIGHT") return compute_binary<Unsigned, kShiftedRight>(c);
  return Error{Code::kInvalid, formatted("its attribute 'direction' is '{}', it takes 'LEFT' or "
                                         "'RIGHT'",
                                         direction)};
}

constexpr auto kBitsAnd = []<class W>(W a, W b) { return static_cast<W>(a & b); };
constexpr auto kBitsOr = []<class W>(W a, W b) { return static_cast<W>(a | b); };
constexpr auto kBitsXor = []<class W>(W a, W b) { return static_cast<W>(a ^ b); };

}  // namespace

void add_binary(Operators& operators) {
  operators.add("Add", compute_binary<Numbers, kSum>);
  operators.add("Sub", compute_binary<Numbers, kDifference>);
  operators.add("Mul", compute_binary<Numbers, kProduct>);
  operators.add("Div", compute_binary<Numbers, kQuotient>);
  operators.add("Mod", compute_mod);
  operators.add("Pow", compute_pow);
  operators.add("BitShift", compute_bit_shift);
  operators.add("BitwiseAnd", compute_binary<Integers, kBitsAnd>);
  operators.add("BitwiseOr", compute_binary<Integers, kBitsOr>);
  operators.add("BitwiseXor", compute_binary<Integers, kBitsXor>);
}

}  // namespace casemate::engine
