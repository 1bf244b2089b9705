// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/layers.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace casemate::inspect {
namespace {

// The name with # for each number.
std::string kind_of(const std::string& name) {
  std::string kind;
  for (const char letter : name) {
    const bool digit = letter >= '0' && letter <= '9';
    if (!digit) kind += letter;
    if (digit && !kind.ends_with('#')) kind += '#';
  }
  return kind;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void add(Layer& sum, const Layer& layer) {
  sum.steps += layer.steps;
  sum.ms += layer.ms;
  sum.flops += layer.flops;
  sum.bytes += layer.bytes;
  sum.arithmetic_ms += layer.arithmetic_ms;
  sum.memory_ms += layer.memory_ms;
  sum.lost_ms += layer.lost_ms;
}

}  // namespace

void Stopwatch::begin(const engine::Plan& plan) {
  if (plan_ != &plan) ms_.assign(plan.steps.size(), {});
  plan_ = &plan;
  last_ = Clock::now();
}

void Stopwatch::done(const engine::Plan&, size_t step) {
  const auto now = Clock::now();
  ms_[step].push_back(std::chrono::duration<double, std::milli>(now - last_).count());
  last_ = Clock::now();
}

std::vector<Layer> Stopwatch::layers(const Ceiling& ceiling) const {
  std::vector<Layer> layers;
  for (size_t i = 0; plan_ != nullptr && i < plan_->steps.size(); ++i) {
    const engine::Step& step = plan_->steps[i];
    Layer layer{.name = step.name,
                .op = step.op,
                .kernel = step.kernel->needs().implementation,
                .ms = median(ms_[i]),
                .flops = static_cast<double>(step.work.flops),
                .bytes = static_cast<double>(step.work.bytes)};
    layer.arithmetic_ms = 1e3 * layer.flops / std::max(ceiling.flops_per_s, 1.0);
    layer.memory_ms = 1e3 * layer.bytes / std::max(ceiling.bytes_per_s, 1.0);
    (layer.by_memory() ? layer.arithmetic_ms : layer.memory_ms) = 0;
    layer.lost_ms = std::max(layer.ms - layer.bound_ms(), 0.0);
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::vector<Layer> arranged(std::vector<Layer> layers, Order order) {
  if (order == Order::kOrder) return layers;
  if (order == Order::kKind) {
    std::map<std::tuple<std::string, std::string, std::string>, Layer> kinds;
    for (const Layer& layer : layers) {
      const auto key = std::tuple(kind_of(layer.name), layer.op, layer.kernel);
      const auto [found, fresh] = kinds.try_emplace(
          key, Layer{.name = std::get<0>(key), .op = layer.op, .kernel = layer.kernel, .steps = 0});
      add(found->second, layer);
    }
    layers.clear();
    for (auto& [key, layer] : kinds) layers.push_back(std::move(layer));
  }
  std::ranges::stable_sort(layers, std::ranges::greater{}, &Layer::lost_ms);
  return layers;
}

Layer sum_of(const std::vector<Layer>& layers) {
  Layer sum{.steps = 0};
  for (const Layer& layer : layers) add(sum, layer);
  return sum;
}

}  // namespace casemate::inspect
