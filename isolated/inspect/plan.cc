// SPDX-License-Identifier: Apache-2.0
// What the engine would run, step by step.

#include "base/format.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/compiled_model.h"

namespace casemate::inspect {
namespace {

std::string totals(const engine::PlanData& plan, const engine::Model& model) {
  uint64_t inputs = 0;
  uint64_t outputs = 0;
  double flops = 0;
  double bytes = 0;
  size_t slow = 0;
  for (const auto& tensor : plan.inputs) inputs += tensor.bytes;
  for (const auto& tensor : plan.outputs) outputs += tensor.bytes;
  for (const engine::StepData& step : plan.steps) {
    flops += static_cast<double>(step.flops);
    bytes += static_cast<double>(step.bytes);
    slow += step.slow ? 1 : 0;
  }
  const Shape& asked = model.largest().empty() ? Shape{} : model.largest().front().shape;
  std::string whole;
  if (!plan.inputs.empty() && asked != plan.inputs.front().shape)
    whole = formatted("{} is made item by item: this plan runs {} times\n", asked.text(), asked[0]);
  return whole + formatted(
                     "@OFFSET+BYTES lies in the arena, in# and out# in the caller's memory; "
                     "weights are the "
                     "kernels'\n"
                     "{} steps, {} of them slow; {:.3f} GFLOP, {:.1f} MB read and written\n"
                     "inputs {}, outputs {}, arena {}, weights packed {}\n",
                     plan.steps.size(), slow, flops / 1e9, bytes / 1e6, sized(inputs),
                     sized(outputs), sized(plan.arena_bytes), sized(model.memory().weight_bytes));
}

}  // namespace

Result<Answer> plan(const Mapping& file, const Options& options) {
  if (options.devices) return plan_over_devices(file, options);
  const engine::Model model = TRY(compiled_model(file, options));
  const engine::PlanData data = model.compiled().front().plan.data();
  if (options.json) return Answer{data.json() + "\n"};
  return Answer{data.text() + "\n" + totals(data, model)};
}

}  // namespace casemate::inspect
