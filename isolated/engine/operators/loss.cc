// SPDX-License-Identifier: Apache-2.0
// How far predictions are from what was to be predicted.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"
#include "isolated/engine/operators/softmax.h"

namespace casemate::engine {
namespace {

struct LossPlan {
  Split split;                     // of the scores: items, classes, and places in each item
  Shape shape;                     // of the result
  bool reduced;                    // to one number
  bool mean;                       // ditto, divided by the weights
  std::optional<int64_t> ignored;  // a target that counts for nothing
};

Result<LossPlan> loss_plan(Computation& c) {
  const Shape& scores = c.shape(0);
  const Shape& targets = c.shape(1);
  const std::string reduction = c.attributes().text("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    return Error{Code::kInvalid, "its reduction is neither \"none\" nor \"sum\" nor \"mean\""};
  }
  LossPlan plan{.split = TRY(split_at(scores, 1)),
                .reduced = reduction != "none",
                .mean = reduction == "mean"};
  if (targets != reduced_shape(scores, 1u << 1, false)) {
    return Error{Code::kInvalid, formatted("its scores have shape {} and its targets {}, which is "
                                           "not that without the classes",
                                           scores.text(), targets.text())};
  }
  if (c.has(2) && c.shape(2) != Shape{plan.split.extent}) {
    return Error{Code::kInvalid, formatted("its weights have shape {}, there are {} classes",
                                           c.shape(2).text(), plan.split.extent)};
  }
  if (!plan.reduced) plan.shape = targets;
  if (c.attributes().has("ignore_index")) plan.ignored = c.attributes().integer("ignore_index", 0);
  return plan;
}

// The classes that are right. Whatever is not ignored is one of them.
Result<std::vector<int64_t>> targets_of(Computation& c, const LossPlan& plan) {
  std::vector<int64_t> targets = TRY(c.integers(1));
  for (const int64_t target : targets) {
    if (target == plan.ignored || (target >= 0 && target < plan.split.extent)) continue;
    return Error{Code::kInvalid,
                 formatted("its target {} is none of {} classes", target, plan.split.extent)};
  }
  return targets;
}

// `loss(at, place)` is the loss where the right class's score is element `at` of the scores, and
// `place` counts items and places in them.
template <class T, class Loss>
Status store_losses(Computation& c, const LossPlan& plan, std::span<T> y, Loss loss) {
  const std::vector<int64_t> targets = TRY(targets_of(c, plan));
  const std::vector<double> weights = c.has(2) ? TRY(reals(c, 2)) : std::vector<double>();
  double weight_sum = 0;
  const auto weighted = [&](int64_t place) -> double {
    const int64_t target = targets[place];
    if (target == plan.ignored) return 0;
    const double weight = weights.empty() ? 1 : weights[target];
    weight_sum += weight;
    const int64_t item = place / plan.split.inner;
    const int64_t at = (item * plan.split.extent + target) * plan.split.inner;
    return loss(at + place % plan.split.inner, place) * weight;
  };
  const auto count = static_cast<int64_t>(targets.size());
  if (!plan.reduced) {
    for (int64_t i = 0; i < count; ++i) y[i] = static_cast<T>(weighted(i));
    return {};
  }
  const double sum = sum_of(count, weighted);
  y[0] = static_cast<T>(plan.mean ? sum / weight_sum : sum);
  return {};
}

Status compute_log_likelihood_loss(Computation& c) {
  const LossPlan plan = TRY(loss_plan(c));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, plan.shape));
    const auto x = TRY(c.values<T>(0));
    return store_losses(c, plan, y, [&](int64_t at, int64_t) { return -real_of(x[at]); });
  });
}

Status compute_cross_entropy_loss(Computation& c) {
  const LossPlan plan = TRY(loss_plan(c));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, plan.shape));
    std::span<T> probabilities;
    if (c.output_count() > 1) probabilities = TRY(c.make<T>(1, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    std::vector<double> logs;
    if (!x.empty()) logs = log_sum_exp(plan.split, x.data());
    if (!probabilities.empty()) subtract_logs(plan.split, logs, x.data(), probabilities.data());
    return store_losses(c, plan, y,
                        [&](int64_t at, int64_t place) { return logs[place] - real_of(x[at]); });
  });
}

}  // namespace

void add_loss(Operators& operators) {
  operators.add("NegativeLogLikelihoodLoss", compute_log_likelihood_loss);
  operators.add("SoftmaxCrossEntropyLoss", compute_cross_entropy_loss);
}

}  // namespace casemate::engine
