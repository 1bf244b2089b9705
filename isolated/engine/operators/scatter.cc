// SPDX-License-Identifier: Apache-2.0
// Operators that write updates over a copy of their data, or combine them with it, at indices. All
// indices are checked before any is used. Of updates to the same place the last one stays.
#include <algorithm>
#include <cstring>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/indices.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

enum class Reduction : uint8_t { kNone, kAdd, kMultiply, kMaximum, kMinimum };

Result<Reduction> stated_reduction(const Computation& c) {
  const std::string name = c.attributes().text("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMultiply;
  if (name == "max") return Reduction::kMaximum;
  if (name == "min") return Reduction::kMinimum;
  return Error{Code::kUnsupported, formatted("there is no reduction '{}'", name)};
}

template <class T>
Stored<T> reduced(Reduction reduction, Stored<T> a, Stored<T> b) {
  if constexpr (std::is_same_v<T, bool>) {
    const bool both = reduction == Reduction::kMultiply || reduction == Reduction::kMinimum;
    return both ? a != 0 && b != 0 : a != 0 || b != 0;
  } else {
    const auto x = static_cast<Wrapping<T>>(a);
    const auto y = static_cast<Wrapping<T>>(b);
    switch (reduction) {
      case Reduction::kAdd:
        return static_cast<T>(x + y);
      case Reduction::kMultiply:
        return static_cast<T>(x * y);
      case Reduction::kMaximum:
        // Not a number wins, as NumPy has it.
        return a != a || a >= b ? a : b;
      default:
        return a != a || a <= b ? a : b;
    }
  }
}

// Copies the data to the output; then calls `place(write)`, which is to call `write(to, from,
// count)` for every run of updates.
template <class Place>
Status scatter(Computation& c, Tensor& y, Reduction reduction, Place place) {
  if (reduction == Reduction::kNone) {
    Mover mover(c, c.type(0));
    const uint8_t* data = TRY(mover.from(0));
    const uint8_t* updates = TRY(mover.from(2));
    uint8_t* to = mover.to(y);
    for_width(mover.width(), [&]<class E>() {
      E* out = elements_at<E>(to);
      std::copy_n(elements_at<E>(data), y.count(), out);
      place([&](int64_t at, int64_t from, int64_t count) {
        std::copy_n(elements_at<E>(updates) + from, count, out + at);
      });
    });
    return mover.done();
  }
  return for_type(NumbersAndBool{}, c.type(0), [&]<class T>() -> Status {
    const auto data = TRY(c.values<T>(0));
    const auto updates = TRY(stored<T>(c, 2));
    Stored<T>* out = elements_at<Stored<T>>(y.mutable_bytes().data());
    if (!data.empty()) std::memcpy(out, data.data(), data.size_bytes());
    place([&](int64_t at, int64_t from, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        out[at + i] = reduced<T>(reduction, out[at + i], updates[static_cast<size_t>(from + i)]);
      }
    });
    return {};
  });
}

Status compute_scatter_elements(Computation& c) {
  const Shape& x = c.shape(0);
  const Shape& picks = c.shape(1);
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", 0), x.rank()));
  const Reduction reduction = TRY(stated_reduction(c));
  bool fits = picks.rank() == x.rank() && picks == c.shape(2);
  for (uint32_t i = 0; fits && i < x.rank(); ++i) fits = i == axis || picks[i] <= x[i];
  if (!fits) {
    return Error{Code::kInvalid,
                 formatted("indices of shape {} and updates of shape {} do not fit data of shape "
                           "{}",
                           picks.text(), c.shape(2).text(), x.text())};
  }
  Tensor& y = *TRY(c.make(0, c.type(0), x));
  const Indices indices = TRY(Indices::of(c, 1));
  TRY(indices.within(x[axis]));
  Steps steps = dense_steps(x);
  const int64_t along = steps[axis];
  steps[axis] = 0;
  const int64_t next = steps[x.rank() - 1];
  return scatter(c, y, reduction, [&](auto write) {
    int64_t i = 0;
    for_each_row(picks, std::array<Steps, 1>{steps}, [&](const auto& offsets, int64_t columns) {
      for (int64_t j = 0; j < columns; ++j, ++i) {
        const int64_t index = indices.at(static_cast<size_t>(i), x[axis]);
        write(offsets[0] + j * next + index * along, i, 1);
      }
    });
  });
}

Status compute_scatter_nd(Computation& c) {
  const Shape& x = c.shape(0);
  const Shape& picks = c.shape(1);
  const Reduction reduction = TRY(stated_reduction(c));
  const int64_t length = picks.rank() == 0 ? 0 : picks[picks.rank() - 1];
  if (length < 1 || length > x.rank()) {
    return Error{Code::kInvalid, formatted("indices of shape {} do not fit data of shape {}",
                                           picks.text(), x.text())};
  }
  const auto indexed = static_cast<size_t>(length);
  std::vector<int64_t> extents(picks.dims().begin(), picks.dims().end() - 1);
  extents.insert(extents.end(), x.dims().begin() + length, x.dims().end());
  if (!std::ranges::equal(extents, c.shape(2).dims())) {
    return Error{Code::kInvalid,
                 formatted("updates of shape {} do not fit data of shape {} and indices of shape "
                           "{}",
                           c.shape(2).text(), x.text(), picks.text())};
  }
  Tensor& y = *TRY(c.make(0, c.type(0), x));
  const Indices indices = TRY(Indices::of(c, 1));
  for (size_t i = 0; i < indices.count(); ++i) {
    const int64_t extent = x[i % indexed];
    if (!Indices::inside(indices[i], extent)) return Indices::outside(indices[i], extent);
  }
  const Steps steps = dense_steps(x);
  const int64_t run = count_of(x, indexed, x.rank());
  return scatter(c, y, reduction, [&](auto write) {
    for (size_t i = 0; i < indices.count() / indexed; ++i) {
      int64_t at = 0;
      for (size_t j = 0; j < indexed; ++j) at += indices.at(i * indexed + j, x[j]) * steps[j];
      write(at, static_cast<int64_t>(i) * run, run);
    }
  });
}

}  // namespace

void add_scatter(Operators& operators) {
  operators.add("Scatter", compute_scatter_elements);
  operators.add("ScatterElements", compute_scatter_elements);
  operators.add("ScatterND", compute_scatter_nd);
}

}  // namespace casemate::engine
