// SPDX-License-Identifier: Apache-2.0
// Dropout: in training, drops elements at random and scales up the others; else the identity.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/generator.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

Result<double> ratio_input(Computation& c) {
  if (!c.has(1)) return 0.5;
  double ratio = 0;
  TRY(for_type(Floats{}, c.type(1), [&]<class T>() -> Status {
    ratio = static_cast<double>(widened(TRY(only_element<T>(c, 1))));
    return {};
  }));
  return ratio;
}

// The share that is dropped; 0 outside of training. Up to operator set 6 an attribute tells whether
// it trains, since 12 an input; the versions between them never do.
Result<double> share(Computation& c) {
  double ratio = 0;
  if (c.since(12)) {
    if (!c.has(2) || TRY(only_element<bool>(c, 2)) == 0) return 0.0;
    ratio = TRY(ratio_input(c));
  } else if (!c.since(7)) {
    if (c.attributes().integer("is_test", 0) != 0) return 0.0;
    ratio = static_cast<double>(c.attributes().real("ratio", 0.5F));
  }
  if (ratio >= 0 && ratio < 1) return ratio;
  return Error{Code::kInvalid, formatted("its ratio is {}, it takes one from 0 to below 1", ratio)};
}

// The mask has the type M: bool, or before operator set 10 that of the data.
template <class T, class M>
Status drop(Computation& c) {
  const bool wants_mask = c.wants(1);
  std::span<M> mask;
  if (wants_mask) mask = TRY(c.make<M>(1, c.shape(0)));
  const auto y = TRY(c.make<T>(0, c.shape(0)));
  const double dropped = TRY(share(c));
  const auto x = TRY(c.values<T>(0));
  if (dropped == 0) {
    std::ranges::copy(x, y.begin());
    std::ranges::fill(mask, static_cast<M>(1));
    return {};
  }
  Generator generator(c.node());
  const auto scale = static_cast<Wide<T>>(1 / (1 - dropped));
  for (size_t i = 0; i < x.size(); ++i) {
    const bool kept = generator.uniform() >= dropped;
    y[i] = kept ? narrowed<T>(widened(x[i]) * scale) : T{};
    if (wants_mask) mask[i] = static_cast<M>(kept);
  }
  return {};
}

Status compute_dropout(Computation& c) {
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    return c.since(10) ? drop<T, bool>(c) : drop<T, T>(c);
  });
}

}  // namespace

void add_dropout(Operators& operators) { operators.add("Dropout", compute_dropout); }

}  // namespace casemate::engine
