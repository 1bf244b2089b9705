// SPDX-License-Identifier: Apache-2.0
// Operators that turn scores into probabilities, their logarithms, or a choice.
#include "isolated/engine/operators/softmax.h"

#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

template <class T>
void softmax(const Split& split, const T* x, T* y) {
  std::vector<Wide<T>> exponentials(
      static_cast<size_t>(split.extent * std::min(split.inner, kSoftmaxColumns)));
  for_each_columns(split, kSoftmaxColumns, [&](int64_t first, int64_t count) {
    Wide<T> greatest[kSoftmaxColumns];
    double sums[kSoftmaxColumns] = {};
    greatest_of_columns(split, x + first, count, greatest);
    for (int64_t i = 0; i < split.extent; ++i) {
      const T* from = x + first + i * split.inner;
      Wide<T>* to = exponentials.data() + i * count;
      for (int64_t j = 0; j < count; ++j) {
        to[j] = std::exp(static_cast<Wide<T>>(from[j]) - greatest[j]);
        sums[j] += to[j];
      }
    }
    for (int64_t j = 0; j < count; ++j) sums[j] = 1 / sums[j];
    for (int64_t i = 0; i < split.extent; ++i) {
      const Wide<T>* from = exponentials.data() + i * count;
      for (int64_t j = 0; j < count; ++j)
        y[first + i * split.inner + j] = static_cast<T>(from[j] * sums[j]);
    }
  });
}

template <class T>
void log_softmax(const Split& split, const T* x, T* y) {
  subtract_logs(split, log_sum_exp(split, x), x, y);
}

// 1 for the first of the greatest elements, or the first that is no number; 0 for all others.
template <class T>
void hardmax(const Split& split, const T* x, T* y) {
  for_each_columns(split, kSoftmaxColumns, [&](int64_t first, int64_t count) {
    Wide<T> greatest[kSoftmaxColumns];
    bool found[kSoftmaxColumns] = {};
    greatest_of_columns(split, x + first, count, greatest);
    for (int64_t i = 0; i < split.extent; ++i) {
      const int64_t at = first + i * split.inner;
      for (int64_t j = 0; j < count; ++j) {
        const Wide<T> value = static_cast<Wide<T>>(x[at + j]);
        const bool odd = value != value;
        const bool chosen = !found[j] && (odd || value == greatest[j]);
        y[at + j] = static_cast<T>(chosen ? 1.0F : 0.0F);
        found[j] = found[j] || chosen;
      }
    }
  });
}

// Before version 13 all axes from the given one on are taken for a single one. Before 11 that may
// be none of them, which makes rows of one element.
Result<Split> split_of(Computation& c) {
  const Shape& shape = c.shape(0);
  const int64_t axis = c.attributes().integer("axis", c.since(13) ? -1 : 1);
  if (!c.since(11) && axis == shape.rank())
    return Split{.outer = static_cast<int64_t>(TRY(shape.element_count()))};
  Split split = TRY(split_at(shape, axis));
  if (c.since(13)) return split;
  split.extent *= split.inner;
  split.inner = 1;
  return split;
}

constexpr auto kSoftmax = []<class T>(auto&&... all) { softmax<T>(all...); };
constexpr auto kLogSoftmax = []<class T>(auto&&... all) { log_softmax<T>(all...); };
constexpr auto kHardmax = []<class T>(auto&&... all) { hardmax<T>(all...); };

template <auto function>
Status compute_along_axis(Computation& c) {
  const Split split = TRY(split_of(c));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    if (!y.empty()) function.template operator()<T>(split, x.data(), y.data());
    return {};
  });
}

}  // namespace

void add_softmax(Operators& operators) {
  operators.add("Hardmax", compute_along_axis<kHardmax>);
  operators.add("LogSoftmax", compute_along_axis<kLogSoftmax>);
  operators.add("Softmax", compute_along_axis<kSoftmax>);
}

}  // namespace casemate::engine
