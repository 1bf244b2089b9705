// SPDX-License-Identifier: Apache-2.0
#include "tests/perf/engine/profile.h"

#include <algorithm>
#include <format>
#include <map>

namespace casemate {
namespace {

struct Kind {
  size_t steps = 0;
  double ms = 0;
  double operations = 0;
};

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

}  // namespace

void Profile::begin(const engine::Plan& plan) {
  if (plan_ != &plan) ms_.assign(plan.steps.size(), {});
  plan_ = &plan;
  last_ = Clock::now();
}

void Profile::done(const engine::Plan&, size_t step) {
  const auto now = Clock::now();
  ms_[step].push_back(std::chrono::duration<double, std::milli>(now - last_).count());
  last_ = Clock::now();
}

std::string Profile::text() const {
  if (plan_ == nullptr) return "nothing was compiled for these shapes\n";
  std::map<std::pair<std::string, std::string>, Kind> kinds;
  double total = 0;
  for (size_t i = 0; i < plan_->steps.size(); ++i) {
    const engine::Step& step = plan_->steps[i];
    Kind& kind = kinds[{kind_of(step.name), step.kernel->needs().implementation}];
    ++kind.steps;
    kind.ms += median(ms_[i]);
    kind.operations += static_cast<double>(step.operations);
    total += median(ms_[i]);
  }
  std::vector<std::pair<std::pair<std::string, std::string>, Kind>> sorted(kinds.begin(),
                                                                           kinds.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{},
                           [](const auto& e) { return e.second.ms; });
  std::string text = std::format("{:>9} {:>6} {:>5} {:>8}  {:32} {}\n", "ms", "share", "steps",
                                 "GFLOP/s", "kernel", "step");
  for (const auto& [names, kind] : sorted) {
    text += std::format(
        "{:9.3f} {:5.1f}% {:5} {:8.1f}  {:32} {}\n", kind.ms, 100 * kind.ms / std::max(total, 1e-9),
        kind.steps, 2e-6 * kind.operations / std::max(kind.ms, 1e-9), names.second, names.first);
  }
  return text + std::format("{:9.3f}\n", total);
}

}  // namespace casemate
