// SPDX-License-Identifier: Apache-2.0
#pragma once
// From an element type that is known when a model runs to a C++ type.
//
//   return for_type(Numbers{}, c.type(0), [&]<class T>() -> Status { ... });
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    types may be any.
//   Fails    for_type() with kUnsupported for a type that is not in the list.

#include <type_traits>

#include "base/format.h"
#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {

template <class... T>
struct Types {};

template <class... A, class... B>
Types<A..., B...> operator+(Types<A...>, Types<B...>);

using Floats = Types<float, double, Float16, Bfloat16>;
using Signed = Types<int8_t, int16_t, int32_t, int64_t>;
using Unsigned = Types<uint8_t, uint16_t, uint32_t, uint64_t>;
using Integers = decltype(Signed{} + Unsigned{});
using Numbers = decltype(Floats{} + Integers{});
using NumbersAndBool = decltype(Numbers{} + Types<bool>{});
using Everything = decltype(NumbersAndBool{} + Types<std::string>{});

template <class T>
inline constexpr bool kFloating = std::is_same_v<T, float> || std::is_same_v<T, double> ||
                                  std::is_same_v<T, Float16> || std::is_same_v<T, Bfloat16>;
template <class T>
inline constexpr bool kInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

// What elements of T are computed in: 16-bit floats in float, all others in themselves.
template <class T>
using Wide =
    std::conditional_t<std::is_same_v<T, Float16> || std::is_same_v<T, Bfloat16>, float, T>;

// What integers are added and multiplied in, so that they wrap as NumPy's do; others in Wide<T>.
template <class T>
struct WrappingOf {
  using Type = Wide<T>;
};
template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
struct WrappingOf<T> {
  // Not less than 32 bits: narrower ones would be promoted to int, which overflows.
  using Type = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
};
template <class T>
using Wrapping = typename WrappingOf<T>::Type;

template <class... T, class Function>
Status for_type(Types<T...>, ElementType type, Function function) {
  Status done =
      Error{Code::kUnsupported, formatted("it is not defined for tensors of {}", name_of(type))};
  (void)((element_type_of<T>() == type && (done = function.template operator()<T>(), true)) || ...);
  return done;
}

}  // namespace casemate::engine
