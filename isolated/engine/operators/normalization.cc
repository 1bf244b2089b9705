// SPDX-License-Identifier: Apache-2.0
// Operators that give elements which belong together mean 0 and variance 1. Statistics are taken in
// double precision, in two passes, so that a large mean does not swallow a small variance.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/graph/box.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

struct Statistics {
  double mean = 0;
  double variance = 0;  // of the elements as they are, not of what they are a sample of
};

template <class T>
Statistics statistics_of(const T* x, int64_t count) {
  Statistics found;
  found.mean = sum_of(count, [&](int64_t i) { return real_of(x[i]); }) / static_cast<double>(count);
  found.variance = sum_of(count,
                          [&](int64_t i) {
                            const double deviation = real_of(x[i]) - found.mean;
                            return deviation * deviation;
                          }) /
                   static_cast<double>(count);
  return found;
}

// y = (x - mean) * factor + shift
template <class T>
void scale_run(const T* x, int64_t count, double mean, double factor, double shift, T* y) {
  const auto m = static_cast<Wide<T>>(mean);
  const auto f = static_cast<Wide<T>>(factor);
  const auto s = static_cast<Wide<T>>(shift);
  for (int64_t i = 0; i < count; ++i)
    y[i] = static_cast<T>((static_cast<Wide<T>>(x[i]) - m) * f + s);
}

// --- statistics over all that follows an axis

// The elements of X that are normalized together, and how scale and bias lie over all of X.
struct LayerPlan {
  Split split;
  Steps scale{};
  Steps bias{};
  double epsilon = 0;
};

Result<Steps> steps_over(Computation& c, size_t input) {
  const Shape& shape = c.shape(input);
  if (!broadcastable(shape, c.shape(0))) {
    return Error{Code::kInvalid, formatted("its input {} of shape {} does not broadcast to {}",
                                           input, shape.text(), c.shape(0).text())};
  }
  return broadcast_steps(shape, c.shape(0));
}

Result<LayerPlan> layer_plan(Computation& c) {
  LayerPlan plan{.split = TRY(split_at(c.shape(0), c.attributes().integer("axis", -1)))};
  plan.split.extent *= plan.split.inner;
  plan.split.inner = 1;
  plan.scale = TRY(steps_over(c, 1));
  if (c.has(2)) plan.bias = TRY(steps_over(c, 2));
  plan.epsilon = static_cast<double>(c.attributes().real("epsilon", 1e-5F));
  return plan;
}

// One run along the last dimension, scaled and shifted element by element.
template <class T>
void scale_row(const T* x, int64_t count, const Statistics& statistics, double inverse,
               const T* scale, int64_t scale_step, const T* bias, int64_t bias_step, T* y) {
  const auto mean = static_cast<Wide<T>>(statistics.mean);
  const auto factor = static_cast<Wide<T>>(inverse);
  for (int64_t i = 0; i < count; ++i) {
    Wide<T> value = (static_cast<Wide<T>>(x[i]) - mean) * factor;
    value *= static_cast<Wide<T>>(scale[i * scale_step]);
    if (bias != nullptr) value += static_cast<Wide<T>>(bias[i * bias_step]);
    y[i] = static_cast<T>(value);
  }
}

// `store(block, statistics, inverse)` is told what each block was normalized with.
template <class T, class Store>
void normalize_layers(const LayerPlan& plan, const Shape& shape, const T* x, const T* scale,
                      const T* bias, T* y, Store store) {
  const uint32_t last = shape.rank() - 1;
  int64_t done = 0;
  Statistics statistics;
  double inverse = 0;
  for_each_row(shape, std::array{plan.scale, plan.bias}, [&](const auto& at, int64_t columns) {
    if (done % plan.split.extent == 0) {
      statistics = statistics_of(x + done, plan.split.extent);
      inverse = 1 / std::sqrt(statistics.variance + plan.epsilon);
      store(done / plan.split.extent, statistics, inverse);
    }
    scale_row(x + done, columns, statistics, inverse, scale + at[0], plan.scale[last],
              bias == nullptr ? nullptr : bias + at[1], plan.bias[last], y + done);
    done += columns;
  });
}

// The optional outputs: mean and inverse deviation, in the type that stash_type names.
template <class U>
struct Stash {
  std::span<U> mean;
  std::span<U> inverse;
};

template <class U>
Result<Stash<U>> make_stash(Computation& c, const Shape& shape) {
  Stash<U> stash;
  if (c.output_count() > 1) stash.mean = TRY(c.make<U>(1, shape));
  if (c.output_count() > 2) stash.inverse = TRY(c.make<U>(2, shape));
  return stash;
}

template <class T, class U>
Status normalize_layers(Computation& c, const LayerPlan& plan) {
  const auto y = TRY(c.make<T>(0, c.shape(0)));
  const uint32_t axes = ~((1u << plan.split.axis) - 1);
  Stash<U> stash = TRY(make_stash<U>(c, reduced_shape(c.shape(0), axes, true)));
  const auto x = TRY(c.values<T>(0));
  const auto scale = TRY(c.values<T>(1));
  const auto bias = c.has(2) ? TRY(c.values<T>(2)) : std::span<const T>();
  const auto store = [&](int64_t block, const Statistics& statistics, double inverse) {
    if (!stash.mean.empty()) stash.mean[block] = static_cast<U>(statistics.mean);
    if (!stash.inverse.empty()) stash.inverse[block] = static_cast<U>(inverse);
  };
  // Where there are blocks without elements, their statistics are none.
  for (int64_t i = 0; y.empty() && i < static_cast<int64_t>(stash.mean.size()); ++i)
    store(i, {.mean = std::nan(""), .variance = 0}, std::nan(""));
  normalize_layers(plan, c.shape(0), x.data(), scale.data(), bias.data(), y.data(), store);
  return {};
}

Status compute_layer_normalization(Computation& c) {
  const LayerPlan plan = TRY(layer_plan(c));
  const int64_t stash = c.attributes().integer("stash_type", 1);
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    if (stash == static_cast<int64_t>(ElementType::kFloat32))
      return normalize_layers<T, float>(c, plan);
    if (stash == static_cast<int64_t>(ElementType::kBfloat16))
      return normalize_layers<T, Bfloat16>(c, plan);
    return Error{Code::kInvalid, formatted("its stash_type is {}, it takes 1 or 16", stash)};
  });
}

// --- statistics over groups of channels of each item

// The elements of an input with one for each of `count` channels or groups.
Result<std::vector<double>> one_for_each(Computation& c, size_t input, int64_t count,
                                         std::string_view what) {
  if (c.shape(input) != Shape{count}) {
    return Error{Code::kInvalid, formatted("its input {} has shape {}, there are {} {}", input,
                                           c.shape(input).text(), count, what)};
  }
  return reals(c, input);
}

// `groups` of channels are normalized together; each channel, or each group where `per_group`, has
// a scale and a bias.
Status normalize_groups(Computation& c, int64_t groups, bool per_group) {
  const Split split = TRY(split_at(c.shape(0), 1));
  const int64_t channels = split.extent;
  if (groups < 1 || channels % groups != 0) {
    return Error{Code::kInvalid,
                 formatted("{} channels do not fall into {} groups", channels, groups)};
  }
  const auto epsilon = static_cast<double>(c.attributes().real("epsilon", 1e-5F));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const std::string_view of = per_group ? "groups" : "channels";
    const auto scale = TRY(one_for_each(c, 1, per_group ? groups : channels, of));
    const auto bias = TRY(one_for_each(c, 2, per_group ? groups : channels, of));
    const auto x = TRY(c.values<T>(0));
    if (y.empty()) return {};
    const int64_t width = channels / groups;  // of a group, in channels
    for (int64_t i = 0; i < split.outer * groups; ++i) {
      const int64_t from = i * width * split.inner;
      const auto [mean, variance] = statistics_of(x.data() + from, width * split.inner);
      const double inverse = 1 / std::sqrt(variance + epsilon);
      for (int64_t j = 0; j < width; ++j) {
        const int64_t k = per_group ? i % groups : i % groups * width + j;
        const int64_t at = from + j * split.inner;
        scale_run(x.data() + at, split.inner, mean, inverse * scale[k], bias[k], y.data() + at);
      }
    }
    return {};
  });
}

Status compute_group_normalization(Computation& c) {
  return normalize_groups(c, c.attributes().integer("num_groups", 0), !c.since(21));
}

// Every channel is a group of its own.
Status compute_instance_normalization(Computation& c) {
  const int64_t channels = c.shape(0).rank() < 2 ? 0 : c.shape(0)[1];
  return normalize_groups(c, std::max<int64_t>(channels, 1), false);
}

// --- statistics over any axes

template <class T>
void normalize_axes(const Shape& shape, uint32_t axes, const T* x, T* y) {
  const Shape kept = reduced_shape(shape, axes, true);
  const std::array<Steps, 1> steps = {broadcast_steps(kept, shape)};
  const int64_t step = steps[0][shape.rank() - 1];
  std::vector<Statistics> blocks(*kept.element_count());
  const auto count =
      static_cast<double>(*shape.element_count()) / static_cast<double>(blocks.size());
  // Calls `each` for every element with the statistics of its block.
  const auto for_each = [&](auto each) {
    int64_t i = 0;
    for_each_row(shape, steps, [&](const auto& at, int64_t columns) {
      for (int64_t j = 0; j < columns; ++j, ++i) each(i, blocks[at[0] + j * step]);
    });
  };
  for_each([&](int64_t i, Statistics& block) { block.mean += real_of(x[i]); });
  for (Statistics& block : blocks) block.mean /= count;
  for_each([&](int64_t i, Statistics& block) {
    const double deviation = real_of(x[i]) - block.mean;
    block.variance += deviation * deviation;
  });
  for (Statistics& block : blocks) block.variance = std::sqrt(block.variance / count);
  for_each([&](int64_t i, const Statistics& block) {
    y[i] = static_cast<T>((real_of(x[i]) - block.mean) / (block.variance + 1e-9));
  });
}

Status compute_mean_variance_normalization(Computation& c) {
  std::vector<int64_t> axes = {0, 2, 3};
  if (c.attributes().has("axes")) axes = c.attributes().integers("axes");
  const uint32_t rank = c.shape(0).rank();
  uint32_t bits = TRY(axis_bits(axes, rank));
  if (axes.empty()) bits = (1u << rank) - 1;  // as a reduction without axes
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    if (rank == 0) {
      y[0] = static_cast<T>(real_of(x[0]) - real_of(x[0]));  // it is its own mean
    } else if (!y.empty()) {
      normalize_axes(c.shape(0), bits, x.data(), y.data());
    }
    return {};
  });
}

}  // namespace

void add_normalization(Operators& operators) {
  operators.add("GroupNormalization", compute_group_normalization);
  operators.add("InstanceNormalization", compute_instance_normalization);
  operators.add("LayerNormalization", compute_layer_normalization);
  operators.add("MeanVarianceNormalization", compute_mean_variance_normalization);
}

}  // namespace casemate::engine
