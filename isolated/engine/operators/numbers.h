// SPDX-License-Identifier: Apache-2.0
#pragma once
// Numbers of whatever type an input has: parameters that a model may state in several, and the
// conversions whose results are defined for every value.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    elements may be anything.
//   Fails    with kUnsupported for text and bools, kInvalid for a number that is no integer's.

#include <cmath>
#include <limits>

#include "isolated/engine/operators/computation.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {

// The elements of a tensor of numbers. Few of them: parameters, not data.
Result<std::vector<double>> reals(Computation& c, size_t input);
// Ditto, towards zero. Fails for one beyond 2^62.
Result<std::vector<int64_t>> whole_numbers(Computation& c, size_t input);

// A float as a number of another type: towards zero, to the nearest end of its range, NaN to 0.
template <class T, class Real>
T narrowed(Real value) {
  if constexpr (kFloating<T>) {
    return static_cast<T>(value);
  } else {
    constexpr T kLow = std::numeric_limits<T>::min();
    constexpr T kHigh = std::numeric_limits<T>::max();
    if (std::isnan(value)) return 0;
    if (value <= static_cast<Real>(kLow)) return kLow;
    if (value >= static_cast<Real>(kHigh)) return kHigh;
    return static_cast<T>(value);
  }
}

// How elements of T stand in memory. A bool may be any byte there, which a C++ bool may not.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
template <class T>
std::span<const Stored<T>> stored(const Tensor& tensor) {
  if constexpr (std::is_same_v<T, bool>) {
    return tensor.bytes();
  } else {
    return tensor.values<T>();
  }
}

}  // namespace casemate::engine
