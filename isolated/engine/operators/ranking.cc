// SPDX-License-Identifier: Apache-2.0
// Operators that tell where the greatest and the least elements are.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

// Whether a is found before b. What is no number is found before all that are, among the greatest
// and among the least, as in NumPy.
template <bool greatest, class W>
bool found_before(W a, W b) {
  if (a != a || b != b) return a != a && b == b;
  return greatest ? a > b : a < b;
}

template <bool greatest, class T>
void find_places(const Split& split, bool last, const T* x, int64_t* y) {
  const auto at = [&](int64_t i, int64_t j) {
    return static_cast<Wide<T>>(x[i * split.inner + j]);
  };
  for (int64_t block = 0; block < split.outer; ++block) {
    std::fill_n(y, split.inner, 0);
    for (int64_t i = 1; i < split.extent; ++i) {
      for (int64_t j = 0; j < split.inner; ++j) {
        const Wide<T> best = at(y[j], j);
        const Wide<T> next = at(i, j);
        const bool better =
            last ? !found_before<greatest>(best, next) : found_before<greatest>(next, best);
        if (better) y[j] = i;
      }
    }
    x += split.extent * split.inner;
    y += split.inner;
  }
}

template <bool greatest>
Status compute_place(Computation& c) {
  const Split split = TRY(split_at(c.shape(0), c.attributes().integer("axis", 0)));
  const bool kept = c.attributes().integer("keepdims", 1) != 0;
  const bool last = c.since(12) && c.attributes().integer("select_last_index", 0) != 0;
  const Shape shape = reduced_shape(c.shape(0), 1u << split.axis, kept);
  if (split.extent == 0 && TRY(shape.element_count()) != 0) {
    return Error{Code::kInvalid, formatted("it chooses along axis {} of shape {}, where there is "
                                           "no element",
                                           split.axis, c.shape(0).text())};
  }
  return for_type(Numbers{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<int64_t>(0, shape));
    const auto x = TRY(c.values<T>(0));
    if (!y.empty()) find_places<greatest>(split, last, x.data(), y.data());
    return {};
  });
}

template <class W>
struct Candidate {
  W value;
  int64_t place;
};

// What is no number counts as greater than all that are. Of equals the first comes first.
template <bool greatest, class W>
bool ranked_before(const Candidate<W>& a, const Candidate<W>& b) {
  const bool a_odd = a.value != a.value;
  const bool b_odd = b.value != b.value;
  if (a_odd != b_odd) return a_odd == greatest;
  if (!a_odd && a.value != b.value) return (a.value > b.value) == greatest;
  return a.place < b.place;
}

template <bool greatest, class T>
void rank_elements(const Split& split, int64_t k, const T* x, T* values, int64_t* places) {
  std::vector<Candidate<Wide<T>>> candidates(static_cast<size_t>(split.extent));
  const auto before = ranked_before<greatest, Wide<T>>;
  for (int64_t i = 0; i < split.outer * split.inner; ++i) {
    const int64_t block = i / split.inner;
    const T* from = x + block * split.extent * split.inner + i % split.inner;
    for (int64_t d = 0; d < split.extent; ++d)
      candidates[d] = {static_cast<Wide<T>>(from[d * split.inner]), d};
    const auto end = candidates.begin() + k;
    if (k < split.extent) std::ranges::nth_element(candidates, end, before);
    std::sort(candidates.begin(), end, before);
    const int64_t to = block * k * split.inner + i % split.inner;
    for (int64_t d = 0; d < k; ++d) {
      values[to + d * split.inner] = static_cast<T>(candidates[d].value);
      if (places != nullptr) places[to + d * split.inner] = candidates[d].place;
    }
  }
}

Status compute_top_k(Computation& c) {
  const int64_t k = c.since(10) ? TRY(c.integer(1)) : c.attributes().integer("k", -1);
  const bool greatest = !c.since(11) || c.attributes().integer("largest", 1) != 0;
  const Split split = TRY(split_at(c.shape(0), c.attributes().integer("axis", -1)));
  if (k < 0 || k > split.extent) {
    return Error{Code::kInvalid, formatted("it asks for {} elements of the {} along axis {}", k,
                                           split.extent, split.axis)};
  }
  Shape shape = c.shape(0);
  shape[split.axis] = k;
  return for_type(Numbers{}, c.type(0), [&]<class T>() -> Status {
    const auto values = TRY(c.make<T>(0, shape));
    int64_t* places = nullptr;
    if (c.output_count() > 1) places = TRY(c.make<int64_t>(1, shape)).data();
    const auto x = TRY(c.values<T>(0));
    if (values.empty()) return {};
    const auto rank = greatest ? rank_elements<true, T> : rank_elements<false, T>;
    rank(split, k, x.data(), values.data(), places);
    return {};
  });
}

}  // namespace

void add_ranking(Operators& operators) {
  operators.add("ArgMax", compute_place<true>);
  operators.add("ArgMin", compute_place<false>);
  operators.add("TopK", compute_top_k);
}

}  // namespace casemate::engine
