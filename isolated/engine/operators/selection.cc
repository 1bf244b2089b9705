// SPDX-License-Identifier: Apache-2.0
// Operators that turn positions into elements and elements into positions.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/numbers.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// --- OneHot

// The class that an index means; -1 for none. Negative ones count from the end since version 11.
template <class T>
int64_t class_of(T index, int64_t depth, bool from_end) {
  // A double holds every integer up to a depth for which there is memory.
  const auto value = std::trunc(static_cast<double>(index));
  const auto count = static_cast<double>(depth);
  if (value >= 0 && value < count) return static_cast<int64_t>(value);
  if (from_end && value < 0 && value >= -count) return static_cast<int64_t>(value) + depth;
  return -1;
}

Status compute_one_hot(Computation& c) {
  const auto stated = TRY(whole_numbers(c, 1));
  if (stated.size() != 1 || stated[0] < 0)
    return Error{Code::kInvalid, "its depth is not one number of classes"};
  const int64_t depth = stated[0];
  const Shape& x = c.shape(0);
  const size_t rank = x.rank() + size_t{1};
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", -1), rank));
  std::vector<int64_t> extents(x.dims().begin(), x.dims().end());
  extents.insert(extents.begin() + axis, depth);
  if (TRY(c.shape(2).element_count()) != 2) {
    return Error{Code::kInvalid,
                 formatted("its values have shape {}, they are two", c.shape(2).text())};
  }
  Tensor& y = *TRY(c.make(0, c.type(2), TRY(shape_of(extents))));
  Mover mover(c, c.type(2));
  const uint8_t* values = TRY(mover.from(2));
  uint8_t* to = mover.to(y);
  const int64_t run = count_of(x, axis, x.rank());
  TRY(for_type(Numbers{}, c.type(0), [&]<class T>() -> Status {
    const auto indices = TRY(c.values<T>(0));
    for_width(mover.width(), [&]<class E>() {
      const E* value = elements_at<E>(values);
      E* out = elements_at<E>(to);
      std::fill_n(out, y.count(), value[0]);
      for (size_t i = 0; i < indices.size(); ++i) {
        const int64_t found = class_of(indices[i], depth, c.since(11));
        const auto place = static_cast<int64_t>(i);
        if (found >= 0) out[(place / run * depth + found) * run + place % run] = value[1];
      }
    });
    return {};
  }));
  return mover.done();
}

// --- Compress

// The positions along an axis, or among all elements, where the condition holds.
Result<std::vector<int64_t>> chosen(Computation& c, int64_t extent) {
  const Tensor* condition = TRY(c.tensor(1));
  if (condition->type() != ElementType::kBool || condition->shape().rank() != 1) {
    return Error{Code::kInvalid, formatted("its condition is a tensor of {} of shape {}, it takes "
                                           "a vector of BOOL",
                                           name_of(condition->type()), condition->shape().text())};
  }
  TRY(c.allow(condition->count() * sizeof(int64_t)));
  std::vector<int64_t> positions;
  for (size_t i = 0; i < condition->bytes().size(); ++i) {
    if (condition->bytes()[i] != 0) positions.push_back(static_cast<int64_t>(i));
  }
  if (!positions.empty() && positions.back() >= extent) {
    return Error{Code::kInvalid,
                 formatted("its condition chooses position {} of {}", positions.back(), extent)};
  }
  return positions;
}

Status compute_compress(Computation& c) {
  const bool flat = !c.attributes().has("axis");
  const Shape& x = c.shape(0);
  const uint32_t axis = flat ? 0 : TRY(axis_of(c.attributes().integer("axis", 0), x.rank()));
  const int64_t extent = flat ? count_of(x) : x[axis];
  const auto positions = TRY(chosen(c, extent));
  const auto count = static_cast<int64_t>(positions.size());
  const Shape shape = flat ? Shape{count} : TRY(with_extent(x, axis, count));
  const int64_t run = flat ? 1 : count_of(x, axis + 1, x.rank());
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  uint8_t* to = mover.to(y);
  if (y.count() == 0) return mover.done();
  for_width(mover.width(), [&]<class E>() {
    const E* in = elements_at<E>(from);
    E* out = elements_at<E>(to);
    const E* const end = in + count_of(x);
    for (; in != end; in += extent * run) {
      for (const int64_t position : positions) out = std::copy_n(in + position * run, run, out);
    }
  });
  return mover.done();
}

// --- NonZero

Status compute_non_zero(Computation& c) {
  const Shape& x = c.shape(0);
  return for_type(Everything{}, c.type(0), [&]<class T>() -> Status {
    const auto values = TRY(stored<T>(c, 0));
    const auto zero = Stored<T>{};
    const auto count = std::ranges::count_if(values, [&](const auto& v) { return v != zero; });
    const auto y = TRY(c.make<int64_t>(0, {x.rank(), static_cast<int64_t>(count)}));
    if (y.empty()) return {};
    const Steps steps = dense_steps(x);
    size_t column = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] == zero) continue;
      auto rest = static_cast<int64_t>(i);
      for (uint32_t axis = 0; axis < x.rank(); ++axis) {
        y[axis * static_cast<size_t>(count) + column] = rest / steps[axis];
        rest %= steps[axis];
      }
      ++column;
    }
    return {};
  });
}

// --- Unique

// A tensor seen as slices along an axis: `outer` runs each of `inner` elements, `extent` apart.
struct Slices {
  int64_t outer = 1;
  int64_t extent = 0;
  int64_t inner = 1;
};

// Which slices are the same.
struct Groups {
  std::vector<int64_t> first;    // of each group, its first slice
  std::vector<int64_t> count;    // ditto, how many there are
  std::vector<int64_t> inverse;  // of each slice, its group
};

// Numbers in order, all that are none behind them and equal to each other.
template <class T>
int order_of(const T& a, const T& b) {
  if constexpr (kFloating<T>) {
    if (a != a || b != b) return (a != a) - (b != b);
  }
  return (a > b) - (a < b);
}

template <class V>
int order_of_slices(const Slices& slices, std::span<const V> x, int64_t a, int64_t b) {
  for (int64_t i = 0; i < slices.outer; ++i) {
    const int64_t start = i * slices.extent;
    for (int64_t j = 0; j < slices.inner; ++j) {
      const auto in_a = static_cast<size_t>((start + a) * slices.inner + j);
      const auto in_b = static_cast<size_t>((start + b) * slices.inner + j);
      if (const int order = order_of(x[in_a], x[in_b]); order != 0) return order;
    }
  }
  return 0;
}

template <class V>
Groups groups_of(const Slices& slices, std::span<const V> x, bool sorted) {
  const auto n = static_cast<size_t>(slices.extent);
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](int64_t a, int64_t b) {
    const int found = order_of_slices(slices, x, a, b);
    return found < 0 || (found == 0 && a < b);
  });
  Groups groups;
  groups.inverse.resize(n);
  for (size_t i = 0; i < n; ++i) {
    if (i == 0 || order_of_slices(slices, x, order[i - 1], order[i]) != 0) {
      groups.first.push_back(order[i]);
      groups.count.push_back(0);
    }
    ++groups.count.back();
    groups.inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(groups.first.size()) - 1;
  }
  if (sorted) return groups;
  // By first occurrence.
  const size_t count = groups.first.size();
  std::vector<size_t> ranks(count);
  std::vector<size_t> by_first(count);
  std::iota(by_first.begin(), by_first.end(), 0);
  std::ranges::sort(by_first, {}, [&](size_t group) { return groups.first[group]; });
  Groups renamed = groups;
  for (size_t i = 0; i < count; ++i) {
    ranks[by_first[i]] = i;
    renamed.first[i] = groups.first[by_first[i]];
    renamed.count[i] = groups.count[by_first[i]];
  }
  for (int64_t& group : renamed.inverse)
    group = static_cast<int64_t>(ranks[static_cast<size_t>(group)]);
  return renamed;
}

// Slices without elements are all the same.
Groups one_group(int64_t extent) {
  if (extent == 0) return {};
  return {.first = {0}, .count = {extent}, .inverse = {}};
}

// Copies the slices that are the first of their groups.
Status move_first(Computation& c, Tensor& y, const Slices& slices, const Groups& groups) {
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  uint8_t* to = mover.to(y);
  for_width(mover.width(), [&]<class E>() {
    E* out = elements_at<E>(to);
    for (int64_t i = 0; i < slices.outer && y.count() > 0; ++i) {
      for (const int64_t slice : groups.first) {
        const int64_t at = (i * slices.extent + slice) * slices.inner;
        out = std::copy_n(elements_at<E>(from) + at, slices.inner, out);
      }
    }
  });
  return mover.done();
}

Status compute_unique(Computation& c) {
  const bool flat = !c.attributes().has("axis");
  const Shape& x = c.shape(0);
  const uint32_t axis = flat ? 0 : TRY(axis_of(c.attributes().integer("axis", 0), x.rank()));
  const bool sorted = c.attributes().integer("sorted", 1) != 0;
  const Tensor* tensor = TRY(c.tensor(0));
  Slices slices{.extent = count_of(x)};
  if (!flat) {
    slices = {
        .outer = count_of(x, 0, axis), .extent = x[axis], .inner = count_of(x, axis + 1, x.rank())};
  }
  Groups groups;
  if (tensor->count() == 0) {
    groups = one_group(slices.extent);
  } else {
    // Order, inverse and groups, each of 8 bytes per slice.
    TRY(c.allow(tensor->count() * 5 * sizeof(int64_t)));
    TRY(for_type(Everything{}, tensor->type(), [&]<class T>() -> Status {
      groups = groups_of(slices, TRY(stored<T>(c, 0)), sorted);
      return {};
    }));
  }
  const int64_t count = std::ssize(groups.first);
  const Shape shape = flat ? Shape{count} : TRY(with_extent(x, axis, count));
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  // In a dry run there is nothing to write to before all are made.
  std::array<std::span<int64_t>, 3> numbers;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (c.wants(i + 1)) numbers[i] = TRY(c.make<int64_t>(i + 1, {i == 1 ? slices.extent : count}));
  }
  groups.inverse.resize(numbers[1].size());
  const std::array lists = {&groups.first, &groups.inverse, &groups.count};
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (c.wants(i + 1)) std::ranges::copy(*lists[i], numbers[i].begin());
  }
  return move_first(c, y, slices, groups);
}

}  // namespace

void add_selection(Operators& operators) {
  operators.add("OneHot", compute_one_hot);
  operators.add("Compress", compute_compress);
  operators.add("NonZero", compute_non_zero);
  operators.add("Unique", compute_unique);
}

}  // namespace casemate::engine
