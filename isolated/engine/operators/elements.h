// SPDX-License-Identifier: Apache-2.0
#pragma once
// Elements as operators read, convert and write them, one by one.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    a bool may hold any byte: it is read as a byte, and is true unless that is 0.
//   Fails    as the functions of Computation and for_type() do.

#include <cmath>
#include <limits>

#include "base/format.h"
#include "isolated/engine/operators/computation.h"
#include "isolated/engine/operators/narrow_float.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {

// What elements of T are read as.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

// The elements of an input. Fails as Computation::values().
template <class T>
Result<std::span<const Stored<T>>> stored(Computation& c, size_t input) {
  const std::span<const T> values = TRY(c.values<T>(input));
  const void* start = values.data();
  return std::span<const Stored<T>>(static_cast<const Stored<T>*>(start), values.size());
}

// The only element of an input. Fails as stored(), and with kInvalid when there are more or none.
template <class T>
Result<Stored<T>> only_element(Computation& c, size_t input) {
  const auto values = TRY(stored<T>(c, input));
  if (values.size() != 1) {
    return Error{Code::kInvalid,
                 formatted("its input {} has {} elements, it takes one", input, values.size())};
  }
  return values[0];
}

// Whether a tensor of text may be had, each of so many bytes, which make() does not account for.
inline Status allow_texts(Computation& c, const Shape& shape, uint64_t bytes_each) {
  const uint64_t count = TRY(shape.element_count());
  const uint64_t each = sizeof(std::string) + bytes_each;
  return c.allow(count > UINT64_MAX / each ? UINT64_MAX : count * each);
}

// An element as what it is computed in, and back.
template <class T>
Wide<T> widened(T x) {
  if constexpr (std::is_same_v<Wide<T>, T>) {
    return x;
  } else {
    return wide_float(x);
  }
}
inline const std::string& widened(const std::string& x) { return x; }

template <class T, class W>
T narrowed(W x) {
  if constexpr (std::is_same_v<W, float> && !std::is_same_v<Wide<T>, T>) {
    return narrow_float<T>(x);
  } else {
    return static_cast<T>(x);
  }
}

// A number as another type, as ONNX's Cast means it: integers wrap, what is too large for a float
// becomes infinite, and what is not 0 is true. Where ONNX leaves it open: what an integer cannot
// hold of a float becomes its nearest bound, and NaN becomes 0.
template <class To, class From>
To converted(From value) {
  if constexpr (!std::is_same_v<Wide<From>, From>) {
    return converted<To>(widened(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return 0;
    // The upper bound may round up to a power of two that To cannot hold, hence >=.
    if (value >= static_cast<From>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    if (value <= static_cast<From>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else if constexpr (std::is_integral_v<From> && !std::is_same_v<Wide<To>, To>) {
    return narrowed<To>(static_cast<float>(value));
  } else {
    return narrowed<To>(value);
  }
}

// Output 0 becomes function(x) of each element of input 0. Elements of the types in the list are
// handed over as Wide<T>; results have type Y, or T when that is void.
template <class List, class Y = void, class Function>
Status map_elements(Computation& c, Function function) {
  return for_type(List{}, c.type(0), [&]<class T>() -> Status {
    using Out = std::conditional_t<std::is_void_v<Y>, T, Y>;
    const auto y = TRY(c.make<Out>(0, c.shape(0)));
    const auto x = TRY(stored<T>(c, 0));
    for (size_t i = 0; i < x.size(); ++i) y[i] = narrowed<Out>(function(widened(x[i])));
    return {};
  });
}

}  // namespace casemate::engine
