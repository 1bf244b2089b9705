// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/runner.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {

Status Runner::allow(uint64_t bytes) {
  if (bytes <= limits_.memory_bytes_max) return {};
  return Error{Code::kTooLarge,
               formatted("{} bytes pass the limit of {}: allow the model more memory", bytes,
                         limits_.memory_bytes_max)};
}

// An arena, and what the plan packed for itself because loading had not: who sends ever new shapes
// makes that again for each.
uint64_t Runner::bytes_of(const Ready& ready) {
  const Compiled& compiled = ready.compiled;
  return compiled.plan.arena_bytes + (compiled.own ? compiled.own->own_bytes() : 0);
}

uint64_t Runner::plan_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [graph, plans] : plans_) {
    for (const auto& ready : plans) bytes += bytes_of(*ready);
  }
  return bytes;
}

// Drops the plans that were not used for longest until there is room for one more, and its memory
// with that of the others stays below half of what the model may use.
void Runner::make_room(Plans& plans, uint64_t more_bytes) const {
  const auto held = [&] {
    uint64_t bytes = more_bytes;
    for (const auto& ready : plans) bytes += bytes_of(*ready);
    return bytes;
  };
  while (!plans.empty() &&
         (plans.size() >= limits_.plans_max || held() > limits_.memory_bytes_max / 2)) {
    plans.erase(
        std::ranges::min_element(plans, {}, [](const auto& ready) { return ready->used_at; }));
  }
}

Result<Runner::Ready*> Runner::plan_for(const Graph& graph, const std::vector<Datum>& inputs) {
  std::vector<Fact> facts;
  for (const Datum& input : inputs) {
    facts.push_back(Fact::of(input));
    facts.back().datum = nullptr;  // a plan is for shapes, whatever the elements
  }
  Plans& plans = plans_[&graph];
  const auto fitting =
      std::ranges::find_if(plans, [&](const auto& ready) { return ready->compiled.fits(facts); });
  if (fitting != plans.end()) {
    (*fitting)->used_at = ++clock_;
    return fitting->get();
  }
  auto ready = std::make_unique<Ready>();
  ready->compiled = TRY(compiler_.compile(graph, facts));
  const uint64_t arena = std::max<uint64_t>(ready->compiled.plan.arena_bytes, 1);
  const uint64_t bytes = bytes_of(*ready);
  TRY(allow(bytes));
  make_room(plans, bytes);
  ready->arena = TRY(Mapping::anonymous(arena));
  ready->session = TRY(Session::make(ready->compiled.plan, ready->arena.data()));
  ready->used_at = ++clock_;
  plans.push_back(std::move(ready));
  return plans.back().get();
}

Status Runner::run_plan(Ready& ready, const std::vector<Datum>& inputs,
                        std::vector<Datum>& values) {
  const Plan& plan = ready.compiled.plan;
  std::vector<Bytes> from;
  for (const Datum& input : inputs)
    from.push_back(input.tensor() == nullptr ? Bytes() : input.tensor()->bytes());
  std::vector<MutableBytes> to;
  for (size_t i = 0; i < ready.compiled.live.size(); ++i) {
    TRY(allow(plan.output_bytes[i]));
    Tensor made = TRY(Tensor::unset(plan.output_types[i], plan.output_shapes[i]));
    to.push_back(made.mutable_bytes());
    values[ready.compiled.live[i].index] = std::move(made);
  }
  return ready.session->run(from, to, progress_);
}

Status Runner::run_node(const Node& node, std::vector<Datum>& values) {
  static const Datum kNothing;
  const auto refused = [&](const Error& error) {
    // What a subgraph's node said needs no second name.
    if (error.text.starts_with("node '")) return error;
    return Error{error.code, formatted("node '{}' ({}): {}", node.name, node.op, error.text)};
  };
  if (++steps_ > limits_.steps_max)
    return refused({Code::kTooLarge, "the run takes too many steps: does a loop end?"});
  if (progress_ != nullptr) progress_->fetch_add(1, std::memory_order_relaxed);
  const Compute compute = Operators::instance().find(node.op);
  if (compute == nullptr) return refused({Code::kUnsupported, "this operator is not supported"});
  std::vector<Fact> facts;
  for (const ValueId id : node.inputs)
    facts.push_back(Fact::of(id.present() ? values[id.index] : kNothing));
  Computation computation(node, std::move(facts), *this, Computation::Mode::kRun);
  if (const Status done = compute(computation); !done) return refused(done.error());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].present())
      values[node.outputs[i].index] = std::move(computation.outputs()[i]);
  }
  return {};
}

Status Runner::run_rest(const Compiled& compiled, std::vector<Datum>& values) {
  if (!compiled.rest) return {};
  std::vector<Datum> inputs;
  for (const ValueId id : compiled.rest_inputs) inputs.push_back(values[id.index]);
  std::vector<Datum> outputs = TRY(run(*compiled.rest, std::move(inputs)));
  for (size_t i = 0; i < outputs.size(); ++i)
    values[compiled.rest_outputs[i].index] = std::move(outputs[i]);
  return {};
}

Result<std::vector<Datum>> Runner::run(const Graph& graph, std::vector<Datum> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    return Error{Code::kInvalid, formatted("a graph with {} inputs is given {}",
                                           graph.inputs().size(), inputs.size())};
  }
  if (++steps_ > limits_.steps_max)
    return Error{Code::kTooLarge, "the run takes too many steps: does a loop end?"};
  Ready& ready = *TRY(plan_for(graph, inputs));
  const Compiled& compiled = ready.compiled;
  std::vector<Datum> values(graph.value_count());
  TRY(run_plan(ready, inputs, values));
  for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs()[i].index] = std::move(inputs[i]);
  for (const auto& [id, datum] : compiled.constants) values[id.index] = datum;
  for (const size_t index : compiled.ready) TRY(run_node(graph.nodes()[index], values));
  TRY(run_rest(compiled, values));
  std::vector<Datum> outputs;
  for (const ValueId id : graph.outputs()) {
    const Tensor* constant = graph.constant(id);
    outputs.push_back(constant != nullptr ? Datum(*constant) : values[id.index]);
  }
  return outputs;
}

}  // namespace casemate::engine
