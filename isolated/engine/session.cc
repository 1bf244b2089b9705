// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/session.h"

#include <algorithm>

namespace casemate::engine {

Result<Session> Session::make(const Plan& plan, uint8_t* arena) {
  Session session;
  session.plan_ = &plan;
  session.input_bytes_ = plan.input_bytes;
  session.output_bytes_ = plan.output_bytes;
  session.steps_.resize(plan.steps.size());
  const auto bind = [&](const std::vector<Place>& places, std::vector<uint8_t*>& addresses) {
    addresses.resize(places.size());
    for (size_t i = 0; i < places.size(); ++i) {
      if (places[i].kind == Place::Kind::kArena) addresses[i] = arena + places[i].offset;
      if (places[i].kind == Place::Kind::kInput || places[i].kind == Place::Kind::kOutput) {
        session.patches_.push_back({&addresses[i], places[i]});
      }
    }
  };
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    Bound& bound = session.steps_[i];
    bound.kernel = step.kernel.get();
    bound.state = TRY(step.kernel->make_state());
    bind(step.inputs, bound.inputs);
    bind(step.outputs, bound.outputs);
    if (step.scratch.kind == Place::Kind::kArena) bound.scratch = arena + step.scratch.offset;
    bound.scratch_stride = step.scratch_stride;
  }
  return session;
}

void Session::bind(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs) {
  // Kernels know no bounds: what they get is compared with what they were compiled for.
  const auto enough = [](auto memory, const std::vector<uint64_t>& bytes) {
    return std::ranges::equal(memory, bytes,
                              [](auto have, uint64_t need) { return have.size() >= need; });
  };
  CHECK(enough(inputs, input_bytes_) && enough(outputs, output_bytes_),
        "a run reads and writes inside the caller's memory");
  for (const Patch& patch : patches_) {
    // Kernels take all operands by one type of pointer; they do not write to inputs.
    *patch.operand = patch.place.kind == Place::Kind::kInput
                         ? const_cast<uint8_t*>(inputs[patch.place.index].data())
                         : outputs[patch.place.index].data();
  }
  bound_ = true;
}

Status Session::run_steps(size_t begin, size_t end, ProgressCounter* progress) {
  CHECK(bound_ && begin <= end && end <= steps_.size(), "steps that run are there, and are bound");
  if (observer_ != nullptr && begin == 0) observer_->begin(*plan_);
  for (size_t i = begin; i < end; ++i) {
    const Bound& bound = steps_[i];
    TRY(bound.kernel->run(
        {bound.inputs, bound.outputs, bound.scratch, bound.state.get(), bound.scratch_stride}));
    if (progress != nullptr) progress->fetch_add(1, std::memory_order_relaxed);
    if (observer_ != nullptr) observer_->done(*plan_, i);
  }
  return {};
}

Status Session::run(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs,
                    ProgressCounter* progress) {
  bind(inputs, outputs);
  return run_steps(0, steps_.size(), progress);
}

}  // namespace casemate::engine
