// SPDX-License-Identifier: Apache-2.0
// Batch normalization, with statistics that are given or, in training, taken from the batch.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

constexpr std::string_view kNames[] = {"X", "scale", "B", "mean", "variance"};

// Whether it takes its statistics from the batch.
bool training(Computation& c) {
  if (c.since(14)) return c.attributes().integer("training_mode", 0) != 0;
  if (!c.since(7)) return c.attributes().integer("is_test", 0) == 0;
  // From 7 to 13 whoever asks for the other outputs trains.
  for (size_t i = 1; i < c.output_count(); ++i) {
    if (c.wants(i)) return true;
  }
  return false;
}

struct Plan {
  Split split;       // extent: what has statistics of its own
  Shape statistics;  // the shape of scale, bias, mean and variance
};

// Before version 9 every element of an item may have statistics of its own.
Result<Plan> plan_of(Computation& c) {
  const Shape& shape = c.shape(0);
  Plan plan;
  if (shape.rank() == 1) {
    plan = {.split = {.outer = shape[0]}, .statistics = {1}};
  } else {
    plan.split = TRY(split_at(shape, 1));
    plan.statistics = {plan.split.extent};
  }
  const bool spatial = c.since(9) || c.attributes().integer("spatial", 1) != 0;
  if (!spatial && shape.rank() > 1) {
    plan.split.extent *= plan.split.inner;
    plan.split.inner = 1;
    plan.statistics = Shape(shape.dims().subspan(1));
  }
  for (size_t i = 1; i < 5; ++i) {
    if (c.has(i) && c.shape(i) == plan.statistics) continue;
    return Error{Code::kInvalid,
                 formatted("its {} has shape {}, {} is what X of {} needs", kNames[i],
                           c.shape(i).text(), plan.statistics.text(), shape.text())};
  }
  return plan;
}

// y = (x - mean) * factor + shift
struct Coefficients {
  std::vector<double> mean;
  std::vector<double> factor;
  std::vector<double> shift;
};

template <class T>
void apply(const Split& split, const Coefficients& all, const T* x, T* y) {
  for (int64_t i = 0; i < split.outer * split.extent; ++i) {
    const int64_t channel = i % split.extent;
    const auto mean = static_cast<Wide<T>>(all.mean[channel]);
    const auto factor = static_cast<Wide<T>>(all.factor[channel]);
    const auto shift = static_cast<Wide<T>>(all.shift[channel]);
    for (int64_t j = 0; j < split.inner; ++j, ++x, ++y)
      *y = static_cast<T>((static_cast<Wide<T>>(*x) - mean) * factor + shift);
  }
}

struct Statistics {
  std::vector<double> mean;
  std::vector<double> variance;
};

// Those of each channel over the whole batch.
template <class T>
Statistics statistics_of(const Split& split, std::span<const T> x) {
  Statistics found;
  if (x.empty()) {
    found.mean.assign(static_cast<size_t>(split.extent), std::nan(""));
    found.variance = found.mean;
    return found;
  }
  const double count = static_cast<double>(split.outer) * static_cast<double>(split.inner);
  const auto averages = [&](auto term) {
    std::vector<double> sums(static_cast<size_t>(split.extent));
    const T* from = x.data();
    for (int64_t i = 0; i < split.outer * split.extent; ++i, from += split.inner) {
      const int64_t channel = i % split.extent;
      sums[channel] +=
          sum_of(split.inner, [&](int64_t j) { return term(channel, real_of(from[j])); });
    }
    for (double& sum : sums) sum /= count;
    return sums;
  };
  found.mean = averages([](int64_t, double value) { return value; });
  found.variance = averages([&](int64_t channel, double value) {
    return (value - found.mean[channel]) * (value - found.mean[channel]);
  });
  return found;
}

Status store(const std::vector<double>& values, Tensor& place) {
  return for_type(Floats{}, place.type(), [&]<class T>() -> Status {
    std::ranges::transform(values, place.values<T>().begin(),
                           [](double value) { return static_cast<T>(value); });
    return {};
  });
}

// What a training run leaves behind: the running statistics, and in older versions those of this
// batch behind them.
Status store_statistics(Computation& c, const Statistics& running, const Statistics& batch,
                        std::span<Tensor* const> places) {
  const auto momentum = static_cast<double>(c.attributes().real("momentum", 0.9F));
  const auto mixed = [&](std::vector<double> values, const std::vector<double>& added) {
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = values[i] * momentum + added[i] * (1 - momentum);
    return values;
  };
  const std::vector<double> all[] = {mixed(running.mean, batch.mean),
                                     mixed(running.variance, batch.variance), batch.mean,
                                     batch.variance};
  for (size_t i = 0; i < places.size(); ++i) TRY(store(all[i], *places[i]));
  return {};
}

template <class T>
Status normalize_batch(Computation& c, const Plan& plan, bool trains) {
  const auto y = TRY(c.make<T>(0, c.shape(0)));
  std::vector<Tensor*> places;
  for (size_t i = 1; trains && i < std::min<size_t>(c.output_count(), 5); ++i)
    places.push_back(TRY(c.make(i, i < 3 ? c.type(2 + i) : c.type(0), plan.statistics)));
  const auto x = TRY(c.values<T>(0));
  Coefficients coefficients;
  coefficients.factor = TRY(reals(c, 1));
  coefficients.shift = TRY(reals(c, 2));
  Statistics used;
  used.mean = TRY(reals(c, 3));
  used.variance = TRY(reals(c, 4));
  if (trains) {
    Statistics batch = statistics_of(plan.split, x);
    TRY(store_statistics(c, used, batch, places));
    used = std::move(batch);
  }
  const auto epsilon = static_cast<double>(c.attributes().real("epsilon", 1e-5F));
  for (size_t i = 0; i < used.variance.size(); ++i)
    coefficients.factor[i] /= std::sqrt(used.variance[i] + epsilon);
  coefficients.mean = std::move(used.mean);
  if (!y.empty()) apply(plan.split, coefficients, x.data(), y.data());
  return {};
}

Status compute_batch_normalization(Computation& c) {
  const bool trains = training(c);
  const Plan plan = TRY(plan_of(c));
  for (size_t i = 1; i < c.output_count(); ++i) {
    if (!trains && c.wants(i)) {
      return Error{Code::kInvalid, formatted("its output {} is asked for, and only training has "
                                             "one",
                                             i)};
    }
  }
  return for_type(Floats{}, c.type(0),
                  [&]<class T>() -> Status { return normalize_batch<T>(c, plan, trains); });
}

}  // namespace

void add_batch_normalization(Operators& operators) {
  operators.add("BatchNormalization", compute_batch_normalization);
}

}  // namespace casemate::engine
