// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reals: numbers on their way between elements and double precision.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    elements may be anything.
//   Fails    reals() with kUnsupported for tensors of anything but floats, and as Computation.

#include <cmath>
#include <limits>
#include <vector>

#include "isolated/engine/operators/computation.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {

// The elements of a tensor of any floats. Meant for the few: statistics, scales, coefficients.
Result<std::vector<double>> reals(Computation& c, size_t input);

// The number that an element stands for.
template <class T>
double real_of(T element) {
  return static_cast<double>(static_cast<Wide<T>>(element));
}

// term(0) + ... + term(count - 1). Partial sums that do not wait for each other make it quicker,
// and adding them two by two more accurate; their order depends on `count` alone.
template <class Term>
double sum_of(int64_t count, Term term) {
  constexpr int64_t kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (int64_t lane = 0; i < count; ++i, ++lane) lanes[lane] += term(i);
  for (int64_t step = kLanes / 2; step > 0; step /= 2) {
    for (int64_t lane = 0; lane < step; ++lane) lanes[lane] += lanes[lane + step];
  }
  return lanes[0];
}

// An element of that value. Floats are rounded; integers lose their fraction, and are held between
// the least and the greatest of their type. What is no number is the integer 0.
template <class T>
T element_from(double value) {
  if constexpr (kFloating<T>) {
    return static_cast<T>(value);
  } else {
    constexpr T kLeast = std::numeric_limits<T>::min();
    constexpr T kGreatest = std::numeric_limits<T>::max();
    if (std::isnan(value)) return 0;
    if (value <= static_cast<double>(kLeast)) return kLeast;
    if (value >= static_cast<double>(kGreatest)) return kGreatest;
    return static_cast<T>(value);
  }
}

}  // namespace casemate::engine
