// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/plan/plan_data.h"

#include <utility>

#include "base/format.h"

namespace casemate::engine {
namespace {

constexpr size_t kNameShown = 60;

std::string places_text(const std::vector<Place>& places) {
  std::string text;
  for (const Place& place : places) {
    if (place.kind == Place::Kind::kNone) continue;
    if (!text.empty()) text += ' ';
    text += place.text();
  }
  return text;
}

std::string shown(const std::string& name) {
  return name.size() <= kNameShown ? name : name.substr(0, kNameShown - 3) + "...";
}

}  // namespace

std::string Place::text() const {
  switch (kind) {
    case Kind::kArena:
      return formatted("@{}+{}", offset, bytes);
    case Kind::kInput:
      return formatted("in{}", index);
    case Kind::kOutput:
      return formatted("out{}", index);
    default:
      return "-";
  }
}

std::string PlanData::text() const {
  std::string text = formatted("arena {} bytes\n", arena_bytes);
  for (const auto& [list, kind] : {std::pair(&inputs, "in"), std::pair(&outputs, "out")}) {
    for (size_t i = 0; i < list->size(); ++i) {
      const Tensor& tensor = (*list)[i];
      text += formatted("{}{} {} {}, {} bytes\n", kind, i, name_of(tensor.type),
                        tensor.shape.text(), tensor.bytes);
    }
  }
  size_t number = 0;
  for (const StepData& step : steps) {
    const bool scratch = step.scratch.kind != Place::Kind::kNone;
    text += formatted("{:>5}  {:<28} {:<28} {:<28} {}{} -> {}{}\n", number++, shown(step.name),
                      step.implementation, step.layouts, places_text(step.inputs),
                      scratch ? " scratch " + step.scratch.text() : "", places_text(step.outputs),
                      step.slow ? "  SLOW" : "");
  }
  return text;
}

}  // namespace casemate::engine
