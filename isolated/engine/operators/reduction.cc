// SPDX-License-Identifier: Apache-2.0
// Operators that gather the elements along some axes into one, and the running sum.
//
// Floats are summed in double precision, in an order that follows from the shape alone, so that
// results are accurate, and the same from run to run.
#include <algorithm>
#include <cmath>
#include <limits>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

// Each reduction says what one element is, how two of those are joined, what there is before the
// first one, and what comes out in the end.

// 64 bits for all integers: cut to fewer, their sums are those of arithmetic that wraps.
template <class T>
using Sums = std::conditional_t<kFloating<T>, double, uint64_t>;

template <class T>
struct Sum {
  using State = Sums<T>;
  static constexpr State kNone = 0;
  static State of(Wide<T> x) { return static_cast<State>(x); }
  static State join(State a, State b) { return a + b; }
  static T done(State sum, int64_t) { return static_cast<T>(sum); }
};

template <class T>
struct Mean : Sum<T> {
  static T done(Sums<T> sum, int64_t count) {
    if constexpr (kFloating<T>) {
      return static_cast<T>(sum / static_cast<double>(count));
    } else if (count == 0) {
      return 0;
    } else if constexpr (std::is_signed_v<T>) {
      return static_cast<T>(static_cast<int64_t>(sum) / count);
    } else {
      return static_cast<T>(sum / static_cast<uint64_t>(count));
    }
  }
};

template <class T>
struct SumSquare : Sum<T> {
  static Sums<T> of(Wide<T> x) { return static_cast<Sums<T>>(x) * static_cast<Sums<T>>(x); }
};

template <class T>
struct L1 : Sum<T> {
  static Sums<T> of(Wide<T> x) {
    if constexpr (kFloating<T>) {
      return std::abs(static_cast<double>(x));
    } else {
      return x < 0 ? Sums<T>{} - static_cast<Sums<T>>(x) : static_cast<Sums<T>>(x);
    }
  }
};

template <class T>
struct Product : Sum<T> {
  static constexpr Sums<T> kNone = 1;
  static Sums<T> join(Sums<T> a, Sums<T> b) { return a * b; }
};

// Those that end in a function of reals gather integers as reals, too.
template <class T>
struct RealSum {
  using State = double;
  static constexpr State kNone = 0;
  static State of(Wide<T> x) { return static_cast<double>(x); }
  static State join(State a, State b) { return a + b; }
};

template <class T>
struct L2 : RealSum<T> {
  static double of(Wide<T> x) { return static_cast<double>(x) * static_cast<double>(x); }
  static T done(double sum, int64_t) { return element_from<T>(std::sqrt(sum)); }
};

template <class T>
struct LogSum : RealSum<T> {
  static T done(double sum, int64_t) { return element_from<T>(std::log(sum)); }
};

template <class T>
struct LogSumExp {
  // Of x_1, x_2, ...: the greatest, and the sum of exp(x_i - greatest), which cannot overflow.
  struct State {
    double greatest;
    double sum;
  };
  static constexpr State kNone = {-std::numeric_limits<double>::infinity(), 0};
  static State of(Wide<T> x) { return {static_cast<double>(x), 1}; }
  static State join(const State& a, const State& b) {
    if (b.greatest > a.greatest || std::isnan(b.greatest)) return joined(b, a);
    return joined(a, b);
  }
  static T done(const State& state, int64_t) {
    return element_from<T>(state.greatest + std::log(state.sum));
  }

 private:
  static State joined(const State& high, const State& low) {
    // Two infinities have no difference.
    if (high.greatest == low.greatest) return {high.greatest, high.sum + low.sum};
    return {high.greatest, high.sum + low.sum * std::exp(low.greatest - high.greatest)};
  }
};

// What is no number stays, as in NumPy.
template <class T>
struct Max {
  using State = Wide<T>;
  using Limits = std::numeric_limits<State>;
  static constexpr State kNone = kFloating<T> ? -Limits::infinity() : Limits::lowest();
  static State of(State x) { return x; }
  static State join(State a, State b) { return b > a || b != b ? b : a; }
  static T done(State state, int64_t) { return static_cast<T>(state); }
};

template <class T>
struct Min : Max<T> {
  using typename Max<T>::State;
  using typename Max<T>::Limits;
  static constexpr State kNone = kFloating<T> ? Limits::infinity() : Limits::max();
  static State join(State a, State b) { return b < a || b != b ? b : a; }
};

// Bools come as bytes: what a peer sent may be neither 0 nor 1.
template <>
struct Max<bool> {
  using State = bool;
  static constexpr State kNone = false;
  static State of(uint8_t x) { return x != 0; }
  static State join(State a, State b) { return a || b; }
  static bool done(State state, int64_t) { return state; }
};

template <>
struct Min<bool> : Max<bool> {
  static constexpr State kNone = true;
  static State join(State a, State b) { return a && b; }
};

// A tensor whose neighbouring dimensions of one kind are made one: those that stay, and those that
// are gathered. Both shapes have all dimensions, with 1 for those of the other kind.
struct Gathering {
  Shape kept;
  Shape gathered;
  Steps steps{};  // through the input, for both
  int64_t count = 1;

  [[nodiscard]] bool gathers_rows() const { return kept[kept.rank() - 1] == 1; }
};

Gathering gathering_of(const Shape& shape, uint32_t axes) {
  std::vector<int64_t> extents;
  std::vector<bool> kinds;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;  // of either kind
    const bool gathered = ((axes >> i) & 1) != 0;
    if (!kinds.empty() && kinds.back() == gathered) {
      extents.back() *= shape[i];
    } else {
      extents.push_back(shape[i]);
      kinds.push_back(gathered);
    }
  }
  if (extents.empty()) {
    extents.push_back(1);
    kinds.push_back(true);
  }
  const Shape merged{std::span<const int64_t>(extents)};
  Gathering plan{.kept = merged, .gathered = merged, .steps = dense_steps(merged)};
  for (uint32_t i = 0; i < merged.rank(); ++i) {
    (kinds[i] ? plan.kept : plan.gathered)[i] = 1;
    if (kinds[i]) plan.count *= merged[i];
  }
  return plan;
}

// What neighbouring elements are together. Partial results that do not wait for each other make it
// quicker, and joining them two by two more accurate.
template <class Reduction, class Element>
typename Reduction::State gather_run(const Element* x, int64_t count) {
  constexpr int64_t kLanes = 8;
  typename Reduction::State lanes[kLanes];
  std::fill_n(lanes, kLanes, Reduction::kNone);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = Reduction::join(lanes[lane], Reduction::of(x[i + lane]));
  }
  for (int64_t lane = 0; i < count; ++i, ++lane)
    lanes[lane] = Reduction::join(lanes[lane], Reduction::of(x[i]));
  for (int64_t step = kLanes / 2; step > 0; step /= 2) {
    for (int64_t lane = 0; lane < step; ++lane)
      lanes[lane] = Reduction::join(lanes[lane], lanes[lane + step]);
  }
  return lanes[0];
}

template <class Reduction, class Element, class T>
void gather_rows(const Gathering& plan, const Element* x, T* y) {
  const std::array<Steps, 1> steps = {plan.steps};
  for_each_row(plan.kept, steps, [&](const auto& at, int64_t) {
    typename Reduction::State state = Reduction::kNone;
    for_each_row(plan.gathered, steps, [&](const auto& run, int64_t columns) {
      state = Reduction::join(state, gather_run<Reduction>(x + at[0] + run[0], columns));
    });
    *y++ = Reduction::done(state, plan.count);
  });
}

// As many columns at once as have room close by.
template <class Reduction, class Element, class T>
void gather_columns(const Gathering& plan, const Element* x, T* y) {
  constexpr int64_t kColumns = 1024;
  const std::array<Steps, 1> steps = {plan.steps};
  for_each_row(plan.kept, steps, [&](const auto& at, int64_t columns) {
    for (int64_t first = 0; first < columns; first += kColumns) {
      const int64_t count = std::min(kColumns, columns - first);
      typename Reduction::State states[kColumns];
      std::fill_n(states, count, Reduction::kNone);
      for_each_row(plan.gathered, steps, [&](const auto& run, int64_t) {
        const Element* from = x + at[0] + run[0] + first;
        for (int64_t i = 0; i < count; ++i)
          states[i] = Reduction::join(states[i], Reduction::of(from[i]));
      });
      for (int64_t i = 0; i < count; ++i) *y++ = Reduction::done(states[i], plan.count);
    }
  });
}

// All axes where none are named, unless it is said that none are meant.
Result<uint32_t> gathered_axes(Computation& c, bool as_input) {
  const uint32_t rank = c.shape(0).rank();
  std::vector<int64_t> axes = c.attributes().integers("axes");
  if (as_input) axes = c.has(1) ? TRY(c.integers(1)) : std::vector<int64_t>();
  if (!axes.empty()) return axis_bits(axes, rank);
  const bool none = as_input && c.attributes().integer("noop_with_empty_axes", 0) != 0;
  return none ? 0 : (1u << rank) - 1;
}

template <template <class> class Reduction, class List, int axes_as_input_since>
Status compute_reduction(Computation& c) {
  const uint32_t axes = TRY(gathered_axes(c, c.since(axes_as_input_since)));
  TRY(c.shape(0).element_count());
  const bool kept = c.attributes().integer("keepdims", 1) != 0;
  return for_type(List{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, reduced_shape(c.shape(0), axes, kept)));
    const auto run = [&](const auto* x) {
      const Gathering plan = gathering_of(c.shape(0), axes);
      if (plan.gathers_rows()) {
        gather_rows<Reduction<T>>(plan, x, y.data());
      } else {
        gather_columns<Reduction<T>>(plan, x, y.data());
      }
    };
    if constexpr (std::is_same_v<T, bool>) {
      run(TRY(c.tensor(0))->bytes().data());
    } else {
      run(TRY(c.values<T>(0)).data());
    }
    return {};
  });
}

template <class T>
void sum_along(const Split& split, bool exclusive, bool reverse, const T* x, T* y) {
  constexpr int64_t kColumns = 64;
  for_each_columns(split, kColumns, [&](int64_t first, int64_t count) {
    Sums<T> sums[kColumns] = {};
    for (int64_t i = 0; i < split.extent; ++i) {
      const int64_t at = first + (reverse ? split.extent - 1 - i : i) * split.inner;
      for (int64_t j = 0; j < count; ++j) {
        const Sums<T> before = sums[j];
        sums[j] += static_cast<Sums<T>>(static_cast<Wide<T>>(x[at + j]));
        y[at + j] = static_cast<T>(exclusive ? before : sums[j]);
      }
    }
  });
}

using Summands = decltype(Floats{} + Types<int32_t, int64_t, uint32_t, uint64_t>{});

Status compute_cumulative_sum(Computation& c) {
  const Split split = TRY(split_at(c.shape(0), TRY(c.integer(1))));
  const bool exclusive = c.attributes().integer("exclusive", 0) != 0;
  const bool reverse = c.attributes().integer("reverse", 0) != 0;
  return for_type(Summands{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    if (!y.empty()) sum_along(split, exclusive, reverse, x.data(), y.data());
    return {};
  });
}

}  // namespace

void add_reduction(Operators& operators) {
  using Ordered = decltype(Summands{} + Types<int8_t, uint8_t, bool>{});
  operators.add("CumSum", compute_cumulative_sum);
  operators.add("ReduceL1", compute_reduction<L1, Summands, 18>);
  operators.add("ReduceL2", compute_reduction<L2, Summands, 18>);
  operators.add("ReduceLogSum", compute_reduction<LogSum, Summands, 18>);
  operators.add("ReduceLogSumExp", compute_reduction<LogSumExp, Summands, 18>);
  operators.add("ReduceMax", compute_reduction<Max, Ordered, 18>);
  operators.add("ReduceMean", compute_reduction<Mean, Summands, 18>);
  operators.add("ReduceMin", compute_reduction<Min, Ordered, 18>);
  operators.add("ReduceProd", compute_reduction<Product, Summands, 18>);
  operators.add("ReduceSum", compute_reduction<Sum, Summands, 13>);
  operators.add("ReduceSumSquare", compute_reduction<SumSquare, Summands, 18>);
}

}  // namespace casemate::engine
