// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/plan/plan.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {
namespace {

std::string layouts_text(const KernelNeeds& needs) {
  const bool reads = !needs.inputs.empty() && needs.inputs[0].has_value();
  return formatted("{}->{}", reads ? name_of(*needs.inputs[0]) : "constant",
                   name_of(needs.outputs[0]));
}

}  // namespace

PlanData Plan::data() const {
  PlanData data{.arena_bytes = arena_bytes};
  for (size_t i = 0; i < input_bytes.size(); ++i)
    data.inputs.push_back({input_types[i], input_shapes[i], input_bytes[i]});
  for (size_t i = 0; i < output_bytes.size(); ++i)
    data.outputs.push_back({output_types[i], output_shapes[i], output_bytes[i]});
  for (const Step& step : steps) {
    const KernelNeeds& needs = step.kernel->needs();
    data.steps.push_back({.name = step.name,
                          .op = step.op,
                          .implementation = needs.implementation,
                          .layouts = layouts_text(needs),
                          .slow = needs.slow,
                          .inputs = step.inputs,
                          .outputs = step.outputs,
                          .scratch = step.scratch,
                          .flops = step.work.flops,
                          .bytes = step.work.bytes});
  }
  return data;
}

std::vector<std::string> Plan::slow_steps() const {
  std::vector<std::string> names;
  for (const Step& step : steps) {
    if (step.kernel->needs().slow) names.push_back(step.name);
  }
  return names;
}

}  // namespace casemate::engine
