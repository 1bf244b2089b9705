// SPDX-License-Identifier: Apache-2.0
// Pooling: of the cells under a window, or of all cells of a channel, the greatest, the mean or
// the norm; and MaxUnpool, which puts the greatest back to where they came from.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/format.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"
#include "isolated/engine/operators/window.h"

namespace casemate::engine {
namespace {

using Pooled = decltype(Floats{} + Types<int8_t, uint8_t>{});

// --- What is made of the cells under a window: add() sees each run of them, in order.

// NaN is greater than all numbers, and the first of equals wins.
template <class T>
struct Greatest {
  T value = kLowest;
  int64_t cell = -1;  // none: the window lies in the padding

  static constexpr T kLowest = std::is_integral_v<T>
                                   ? std::numeric_limits<T>::lowest()
                                   : static_cast<T>(-std::numeric_limits<float>::infinity());

  void add(const T* x, int64_t first, int64_t count, int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      const T candidate = x[first + i * step];
      const bool nan = candidate != candidate && value == value;
      if (cell >= 0 && !nan && !(candidate > value)) continue;
      value = candidate;
      cell = first + i * step;
    }
  }
};

template <class T>
struct Sum {
  double value = 0;

  void add(const T* x, int64_t first, int64_t count, int64_t step) {
    for (int64_t i = 0; i < count; ++i) value += real_of(x[first + i * step]);
  }
};

// Sums of powers. Rooted once all are added.
template <class T>
struct Powers {
  double order = 2;
  double value = 0;

  void add(const T* x, int64_t first, int64_t count, int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      const double magnitude = std::abs(real_of(x[first + i * step]));
      value += order == 1   ? magnitude
               : order == 2 ? magnitude * magnitude
                            : std::pow(magnitude, order);
    }
  }
  [[nodiscard]] double root() const {
    return order == 1 ? value : order == 2 ? std::sqrt(value) : std::pow(value, 1 / order);
  }
};

// Where a window lies, per dimension.
struct Place {
  std::array<int64_t, kWindowRank> position = {};
  std::array<Range, kWindowRank> taps = {};  // on the input
};

// Adds the cells of channel `x` that the window covers at a place.
template <class T, class Reduction>
void reduce(const Window& window, const Place& place, const T* x, Reduction& reduction) {
  const uint32_t last = window.rank - 1;
  std::array<int64_t, kWindowRank> tap{};
  for (uint32_t i = 0; i < window.rank; ++i) {
    if (place.taps[i].count() == 0) return;
    tap[i] = place.taps[i].first;
  }
  for (;;) {
    int64_t cell = 0;
    for (uint32_t i = 0; i < window.rank; ++i)
      cell = cell * window.axes[i].input + window.axes[i].cell(place.position[i], tap[i]);
    reduction.add(x, cell, place.taps[last].count(), window.axes[last].dilation);
    uint32_t i = last;
    for (; i > 0; --i) {
      if (++tap[i - 1] < place.taps[i - 1].last) break;
      tap[i - 1] = place.taps[i - 1].first;
    }
    if (i == 0) return;
  }
}

// The cells of a window that a mean is taken over; with padding all of them, even behind it, where
// 'ceil_mode' lets a window reach. As a double: a kernel that lies in no tensor knows no bounds.
double divisor(const Window& window, const Place& place, bool with_padding) {
  double count = 1;
  for (uint32_t i = 0; i < window.rank; ++i)
    count *= static_cast<double>(with_padding ? window.axes[i].kernel : place.taps[i].count());
  return count;
}

Result<Window> pooling_window(const Computation& c) {
  return window_of(c, c.shape(0), TRY(kernel_attribute(c, c.shape(0))));
}

// Calls `visit` with each output's number, its place and the cells of its channel. Requires: there
// are outputs.
template <class T, class Visit>
void for_each_output(const Window& window, std::span<const T> x, size_t channels, Visit visit) {
  std::array<std::vector<Range>, kWindowRank> taps;
  for (uint32_t i = 0; i < window.rank; ++i) {
    for (int64_t position = 0; position < window.axes[i].output; ++position)
      taps[i].push_back(window.axes[i].taps(position));
  }
  const auto cells = static_cast<size_t>(window.cells());
  const auto positions = static_cast<size_t>(window.positions());
  for (size_t channel = 0; channel < channels; ++channel) {
    Place place;
    for (size_t at = 0; at < positions; ++at) {
      for (uint32_t i = 0; i < window.rank; ++i)
        place.taps[i] = taps[i][static_cast<size_t>(place.position[i])];
      visit(channel * positions + at, place, x.data() + channel * cells);
      for (uint32_t i = window.rank; i-- > 0;) {
        if (++place.position[i] < window.axes[i].output) break;
        place.position[i] = 0;
      }
    }
  }
}

// An index of a channel's cells in which the first dimension varies fastest.
int64_t column_major(const Window& window, int64_t cell) {
  std::array<int64_t, kWindowRank> index{};
  for (uint32_t i = window.rank; i-- > 0; cell /= window.axes[i].input)
    index[i] = cell % window.axes[i].input;
  int64_t result = 0;
  for (uint32_t i = window.rank; i-- > 0;) result = result * window.axes[i].input + index[i];
  return result;
}

Status compute_max_pool(Computation& c) {
  const Window window = TRY(pooling_window(c));
  const Shape shape = window.output_shape(c.shape(0)[0], c.shape(0)[1]);
  const bool by_columns = c.attributes().integer("storage_order", 0) != 0;
  return for_type(Pooled{}, c.type(0), [&]<class T>() -> Status {
    std::span<int64_t> indices;
    if (c.wants(1)) indices = TRY(c.make<int64_t>(1, shape));
    const auto y = TRY(c.make<T>(0, shape));
    const auto x = TRY(c.values<T>(0));
    if (y.empty()) return {};
    const auto channels = static_cast<size_t>(shape[0] * shape[1]);
    for_each_output(window, x, channels, [&](size_t i, const Place& place, const T* channel) {
      Greatest<T> greatest;
      reduce(window, place, channel, greatest);
      y[i] = greatest.value;
      if (indices.empty()) return;
      indices[i] = -1;
      if (greatest.cell < 0) return;
      const int64_t cell = by_columns ? column_major(window, greatest.cell) : greatest.cell;
      indices[i] = channel - x.data() + cell;
    });
    return {};
  });
}

Status compute_average_pool(Computation& c) {
  const Window window = TRY(pooling_window(c));
  const Shape shape = window.output_shape(c.shape(0)[0], c.shape(0)[1]);
  const bool with_padding = c.attributes().integer("count_include_pad", 0) != 0;
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, shape));
    const auto x = TRY(c.values<T>(0));
    if (y.empty()) return {};
    const auto channels = static_cast<size_t>(shape[0] * shape[1]);
    for_each_output(window, x, channels, [&](size_t i, const Place& place, const T* channel) {
      Sum<T> sum;
      reduce(window, place, channel, sum);
      y[i] = static_cast<T>(sum.value / divisor(window, place, with_padding));
    });
    return {};
  });
}

// Was a float once.
double norm_order(const Computation& c) {
  const auto whole = static_cast<double>(c.attributes().integer("p", 2));
  return static_cast<double>(c.attributes().real("p", static_cast<float>(whole)));
}

Status compute_lp_pool(Computation& c) {
  const Window window = TRY(pooling_window(c));
  const Shape shape = window.output_shape(c.shape(0)[0], c.shape(0)[1]);
  const double order = norm_order(c);
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, shape));
    const auto x = TRY(c.values<T>(0));
    if (y.empty()) return {};
    const auto channels = static_cast<size_t>(shape[0] * shape[1]);
    for_each_output(window, x, channels, [&](size_t i, const Place& place, const T* channel) {
      Powers<T> powers{.order = order};
      reduce(window, place, channel, powers);
      y[i] = static_cast<T>(powers.root());
    });
    return {};
  });
}

// `result` makes of all cells of a channel, by their first one and their number, one number.
template <class List, class Of>
Status compute_global(Computation& c, Of result) {
  Shape shape = c.shape(0);
  if (shape.rank() < 2) {
    return Error{Code::kInvalid,
                 formatted("its input {} is no image [N,C,...]", c.shape(0).text())};
  }
  for (uint32_t i = 2; i < shape.rank(); ++i) shape[i] = 1;
  return for_type(List{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, shape));
    const auto x = TRY(c.values<T>(0));
    if (y.empty()) return {};
    const size_t cells = x.size() / y.size();
    for (size_t i = 0; i < y.size(); ++i)
      y[i] = static_cast<T>(result(x.data() + i * cells, static_cast<int64_t>(cells)));
    return {};
  });
}

Status compute_global_max_pool(Computation& c) {
  return compute_global<Floats>(c, []<class T>(const T* x, int64_t count) {
    Greatest<T> greatest;
    greatest.add(x, 0, count, 1);
    return greatest.value;
  });
}

Status compute_global_average_pool(Computation& c) {
  return compute_global<Floats>(c, []<class T>(const T* x, int64_t count) {
    const double sum = sum_of(count, [&](int64_t i) { return real_of(x[i]); });
    return sum / static_cast<double>(count);
  });
}

Status compute_global_lp_pool(Computation& c) {
  return compute_global<Floats>(c, [order = norm_order(c)]<class T>(const T* x, int64_t count) {
    Powers<T> powers{.order = order};
    powers.add(x, 0, count, 1);
    return powers.root();
  });
}

// What MaxPool's input looked like, if nothing was lost between its windows.
Result<Shape> shape_before_pooling(const Computation& c) {
  const Shape& pooled = c.shape(0);
  const auto kernel = TRY(kernel_attribute(c, pooled));
  const auto strides = TRY(window_attribute(c, "strides", kernel.size(), 1, 1));
  const auto pads = TRY(window_attribute(c, "pads", 2 * kernel.size(), 0, 0));
  Shape shape = pooled;
  for (size_t i = 0; i < kernel.size(); ++i) {
    int64_t extent = 0;
    if (__builtin_mul_overflow(pooled[i + 2] - 1, strides[i], &extent) ||
        __builtin_add_overflow(extent, kernel[i] - pads[i] - pads[i + kernel.size()], &extent) ||
        extent < 0) {
      return Error{Code::kInvalid, formatted("dimension {} of what it unpools to has no extent "
                                             "that can be",
                                             i + 2)};
    }
    shape[i + 2] = extent;
  }
  return shape;
}

// Indices count the cells of `before`, which lies in the first corner of the output.
template <class T>
Status unpool(Computation& c, const Shape& before, const Shape& shape) {
  const auto y = TRY(c.make<T>(0, shape));
  const auto x = TRY(c.values<T>(0));
  const auto indices = TRY(c.values<int64_t>(1));
  std::ranges::fill(y, T{});
  const auto cells = static_cast<int64_t>(TRY(before.element_count()));
  for (size_t i = 0; i < x.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= cells) {
      return Error{Code::kInvalid, formatted("its index {} is outside of the {} cells of {}",
                                             indices[i], cells, before.text())};
    }
    int64_t rest = indices[i];
    int64_t at = 0;
    int64_t step = 1;
    for (uint32_t k = shape.rank(); k-- > 0; step *= shape[k], rest /= before[k])
      at += rest % before[k] * step;
    y[static_cast<size_t>(at)] = x[i];
  }
  return {};
}

Status compute_max_unpool(Computation& c) {
  const Shape before = TRY(shape_before_pooling(c));
  if (c.shape(1) != c.shape(0)) {
    return Error{Code::kInvalid, formatted("its indices {} have not the shape {} of its input",
                                           c.shape(1).text(), c.shape(0).text())};
  }
  Shape shape = before;
  if (c.has(2)) {
    const auto wanted = TRY(c.integers(2));
    const auto fits = [](int64_t extent, int64_t least) { return extent >= least; };
    if (!std::ranges::equal(wanted, before.dims(), fits) || wanted[0] != before[0] ||
        wanted[1] != before[1]) {
      return Error{Code::kInvalid,
                   formatted("its output_shape does not hold the shape {} that it unpools to",
                             before.text())};
    }
    shape = Shape(wanted);
  }
  return for_type(Floats{}, c.type(0),
                  [&]<class T>() -> Status { return unpool<T>(c, before, shape); });
}

}  // namespace

void add_pooling(Operators& operators) {
  operators.add("MaxPool", compute_max_pool);
  operators.add("AveragePool", compute_average_pool);
  operators.add("LpPool", compute_lp_pool);
  operators.add("GlobalMaxPool", compute_global_max_pool);
  operators.add("GlobalAveragePool", compute_global_average_pool);
  operators.add("GlobalLpPool", compute_global_lp_pool);
  operators.add("MaxUnpool", compute_max_unpool);
}

}  // namespace casemate::engine
