// SPDX-License-Identifier: Apache-2.0
#pragma once
// The logarithm of a sum of exponentials: what turns scores into logarithms of probabilities.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    callers have checked that x has outer * extent * inner elements.
//   Fails    never.

#include <algorithm>
#include <cmath>
#include <vector>

#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {

// Columns that are worked on together.
inline constexpr int64_t kSoftmaxColumns = 64;

// The greatest element of each of `count` columns; what is no number where there is one. Requires:
// columns have elements.
template <class T>
void greatest_of_columns(const Split& split, const T* x, int64_t count, Wide<T>* greatest) {
  for (int64_t j = 0; j < count; ++j) greatest[j] = static_cast<Wide<T>>(x[j]);
  for (int64_t i = 1; i < split.extent; ++i) {
    for (int64_t j = 0; j < count; ++j) {
      const Wide<T> next = static_cast<Wide<T>>(x[i * split.inner + j]);
      greatest[j] = next > greatest[j] || next != next ? next : greatest[j];
    }
  }
}

// log(sum(exp(x))) along the axis, for each [outer, inner]. Requires: the extent is not 0.
template <class T>
std::vector<double> log_sum_exp(const Split& split, const T* x) {
  std::vector<double> logs;
  logs.reserve(static_cast<size_t>(split.outer * split.inner));
  for_each_columns(split, kSoftmaxColumns, [&](int64_t first, int64_t count) {
    Wide<T> greatest[kSoftmaxColumns];
    double sums[kSoftmaxColumns] = {};
    greatest_of_columns(split, x + first, count, greatest);
    for (int64_t i = 0; i < split.extent; ++i) {
      const T* from = x + first + i * split.inner;
      for (int64_t j = 0; j < count; ++j)
        sums[j] += std::exp(static_cast<Wide<T>>(from[j]) - greatest[j]);
    }
    for (int64_t j = 0; j < count; ++j)
      logs.push_back(static_cast<double>(greatest[j]) + std::log(sums[j]));
  });
  return logs;
}

// y = x - logs, the logarithms of probabilities. Requires: `logs` are those of x.
template <class T>
void subtract_logs(const Split& split, const std::vector<double>& logs, const T* x, T* y) {
  for (int64_t i = 0; i < split.outer * split.extent; ++i) {
    const double* log = logs.data() + i / split.extent * split.inner;
    for (int64_t j = 0; j < split.inner; ++j, ++x, ++y)
      *y = static_cast<T>(static_cast<Wide<T>>(*x) - log[j]);
  }
}

}  // namespace casemate::engine
