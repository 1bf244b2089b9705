// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/plan/plan.h"

#include <algorithm>
#include <format>

namespace casemate::engine {
namespace {

std::string places_text(const std::vector<Place>& places) {
  std::string text;
  for (const Place& place : places) {
    if (place.kind == Place::Kind::kNone) continue;
    if (!text.empty()) text += ' ';
    text += place.text();
  }
  return text;
}

std::string layouts_text(const KernelNeeds& needs) {
  const bool reads = !needs.inputs.empty() && needs.inputs[0].has_value();
  return std::format("{}->{}", reads ? name_of(*needs.inputs[0]) : "constant",
                     name_of(needs.outputs[0]));
}

}  // namespace

std::string Place::text() const {
  switch (kind) {
    case Kind::kArena:
      return std::format("@{}", offset);
    case Kind::kInput:
      return std::format("in{}", index);
    case Kind::kOutput:
      return std::format("out{}", index);
    default:
      return "-";
  }
}

std::string Plan::text() const {
  std::string text = std::format("batch {}, arena {} bytes\n", batch, arena_bytes);
  for (const Step& step : steps) {
    const KernelNeeds& needs = step.kernel->needs();
    text += std::format("  {:<28} {:<28} {:<28} {} -> {}{}\n", step.name, needs.implementation,
                        layouts_text(needs), places_text(step.inputs), places_text(step.outputs),
                        needs.slow ? "  SLOW" : "");
  }
  return text;
}

std::vector<std::string> Plan::slow_steps() const {
  std::vector<std::string> names;
  for (const Step& step : steps) {
    if (step.kernel->needs().slow) names.push_back(step.name);
  }
  return names;
}

}  // namespace casemate::engine
