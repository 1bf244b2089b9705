// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/runner.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/graph/name_text.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// Graphs inside each other that are planned: subgraphs, and what is left of a graph when data has
// decided. A model can have as many of the latter as nodes, each with a copy of all that follow.
constexpr int kPlannedDeep = 16;
// What a plan takes beside its arena: about so much for each step, each node of the rest, and a
// page where its memory begins.
constexpr uint64_t kPlanBytes = 8 << 10;
constexpr uint64_t kStepBytes = 1 << 10;

}  // namespace

// One run of a graph: what it counts is given back when it ends, however it does.
class Runner::Running final {
 public:
  explicit Running(Runner& runner) : runner_(runner), live_bytes_(runner.live_bytes_) {
    if (runner.depth_++ == 0) runner.steps_ = 0;
  }
  ~Running() {
    --runner_.depth_;
    runner_.live_bytes_ = live_bytes_;
    if (ready_ != nullptr) ready_->running = false;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // Keeps the plan from being dropped meanwhile.
  void with(Ready& ready) {
    ready.running = true;
    ready_ = &ready;
  }

 private:
  Runner& runner_;
  uint64_t live_bytes_;
  Ready* ready_ = nullptr;
};

Status Runner::allow(uint64_t bytes) {
  const uint64_t used = live_bytes_ + plan_bytes_;
  if (bytes <= limits_.memory_bytes_max && used <= limits_.memory_bytes_max - bytes) return {};
  return Error{Code::kTooLarge,
               formatted("{} bytes more than the {} in use pass the limit of {}: allow the model "
                         "more memory",
                         bytes, used, limits_.memory_bytes_max)};
}

Status Runner::hold(uint64_t before, uint64_t now) {
  TRY(allow(now - std::min(before, now)));
  live_bytes_ += now - before;
  return {};
}

// An arena, what the plan packed for itself because loading had not, and values that it folded: who
// sends ever new shapes makes that again for each.
uint64_t Runner::bytes_of(const Compiled& compiled) {
  const uint64_t nodes =
      compiled.plan.steps.size() + (compiled.rest ? compiled.rest->nodes().size() : 0);
  uint64_t bytes = compiled.plan.arena_bytes + kPlanBytes + nodes * kStepBytes;
  if (compiled.own) bytes += compiled.own->own_bytes();
  for (const auto& [id, datum] : compiled.constants) {
    const bool shared = datum.tensor() != nullptr && datum.tensor()->shared();
    if (!shared) bytes += datum.bytes();
  }
  return bytes;
}

// Drops it with the plans of what is left behind it, which nobody can run any more.
void Runner::drop(std::unique_ptr<Ready> ready) {
  plan_bytes_ -= ready->bytes;
  if (ready->compiled.rest == nullptr) return;
  const auto found = plans_.find(ready->compiled.rest.get());
  if (found == plans_.end()) return;
  Plans behind = std::move(found->second);
  plans_.erase(found);
  for (std::unique_ptr<Ready>& each : behind) drop(std::move(each));
}

// Of the graph, or of all if there is none, the plan that was not used for longest and does not
// run. False when there is none.
bool Runner::drop_oldest(const Graph* of) {
  Plans* oldest = nullptr;
  size_t place = 0;
  for (auto& [graph, plans] : plans_) {
    if (of != nullptr && of != graph) continue;
    for (size_t i = 0; i < plans.size(); ++i) {
      if (plans[i]->running) continue;
      if (oldest != nullptr && (*oldest)[place]->used_at < plans[i]->used_at) continue;
      oldest = &plans;
      place = i;
    }
  }
  if (oldest == nullptr) return false;
  std::unique_ptr<Ready> dropped = std::move((*oldest)[place]);
  oldest->erase(oldest->begin() + static_cast<std::ptrdiff_t>(place));
  drop(std::move(dropped));
  return true;
}

// Makes room for one more plan of the graph, so that its memory with that of all others stays below
// half of what the model may use.
void Runner::make_room(const Graph& graph, uint64_t more_bytes) {
  const auto full = [&] {
    const auto found = plans_.find(&graph);
    return found != plans_.end() && found->second.size() >= limits_.plans_max;
  };
  while (full() && drop_oldest(&graph)) continue;
  while (plan_bytes_ + more_bytes > limits_.memory_bytes_max / 2 && drop_oldest(nullptr)) continue;
}

Result<Runner::Ready*> Runner::plan_for(const Graph& graph, const std::vector<Datum>& inputs) {
  std::vector<Fact> facts;
  for (const Datum& input : inputs) {
    facts.push_back(Fact::of(input));
    facts.back().datum = nullptr;  // a plan is for shapes, whatever the elements
  }
  for (const std::unique_ptr<Ready>& ready : plans_[&graph]) {
    if (!ready->compiled.fits(facts)) continue;
    ready->used_at = ++clock_;
    return ready.get();
  }
  auto ready = std::make_unique<Ready>();
  ready->compiled = TRY(compiler_.compile(graph, facts));
  ++plans_made_;
  ready->bytes = bytes_of(ready->compiled);
  make_room(graph, ready->bytes);
  if (const Status allowed = allow(ready->bytes); !allowed) {
    return Error{allowed.error().code,
                 formatted("a plan for these shapes: {}", allowed.error().text)};
  }
  ready->arena = TRY(Mapping::anonymous(std::max<uint64_t>(ready->compiled.plan.arena_bytes, 1)));
  ready->session = TRY(Session::make(ready->compiled.plan, ready->arena.data()));
  ready->used_at = ++clock_;
  plan_bytes_ += ready->bytes;
  return plans_[&graph].emplace_back(std::move(ready)).get();
}

Status Runner::run_plan(const Graph& graph, Ready& ready, const std::vector<Datum>& inputs,
                        std::vector<Datum>& values) {
  const Plan& plan = ready.compiled.plan;
  std::vector<Bytes> from;
  for (const Datum& input : inputs)
    from.push_back(input.tensor() == nullptr ? Bytes() : input.tensor()->bytes());
  std::vector<MutableBytes> to;
  for (size_t i = 0; i < ready.compiled.live.size(); ++i) {
    const ValueId id = ready.compiled.live[i];
    if (const Status held = hold(0, plan.output_bytes[i]); !held) {
      return Error{held.error().code,
                   formatted("value '{}': {}", name_text(graph.value(id).name), held.error().text)};
    }
    Tensor made = TRY(Tensor::unset(plan.output_types[i], plan.output_shapes[i]));
    to.push_back(made.mutable_bytes());
    values[id.index] = std::move(made);
  }
  return ready.session->run(from, to, progress_);
}

Status Runner::run_node(const Node& node, std::vector<Datum>& values) {
  static const Datum kNothing;
  const auto refused = [&](const Error& error) {
    // What a subgraph's node said needs no second name.
    if (error.text.starts_with("node '")) return error;
    return Error{error.code, formatted("{}: {}", place_of(node), error.text)};
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
  const uint64_t live = live_bytes_;
  const Status done = compute(computation);
  live_bytes_ = live;  // what it held in between is gone
  if (!done) return refused(done.error());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].present()) continue;
    Datum& made = computation.outputs()[i];
    live_bytes_ += made.bytes();
    values[node.outputs[i].index] = std::move(made);
  }
  return {};
}

Status Runner::run_rest(const Compiled& compiled, std::vector<Datum>& values) {
  if (!compiled.rest) return {};
  std::vector<Datum> inputs;
  for (const ValueId id : compiled.rest_inputs) inputs.push_back(values[id.index]);
  std::vector<Datum> outputs = TRY(run(*compiled.rest, std::move(inputs)));
  for (size_t i = 0; i < outputs.size(); ++i) {
    live_bytes_ += outputs[i].bytes();
    values[compiled.rest_outputs[i].index] = std::move(outputs[i]);
  }
  return {};
}

// Each node by its own function.
Result<std::vector<Datum>> Runner::run_node_by_node(const Graph& graph, std::vector<Datum> inputs) {
  std::vector<Datum> values(graph.value_count());
  for (uint32_t i = 0; i < graph.value_count(); ++i) {
    if (const Tensor* constant = graph.constant({i})) values[i] = *constant;
  }
  for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs()[i].index] = std::move(inputs[i]);
  for (const Node& node : graph.nodes()) TRY(run_node(node, values));
  std::vector<Datum> outputs;
  for (const ValueId id : graph.outputs()) outputs.push_back(values[id.index]);
  return outputs;
}

Result<std::vector<Datum>> Runner::run(const Graph& graph, std::vector<Datum> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    return Error{Code::kInvalid, formatted("a graph with {} inputs is given {}",
                                           graph.inputs().size(), inputs.size())};
  }
  Running running(*this);
  if (++steps_ > limits_.steps_max)
    return Error{Code::kTooLarge, "the run takes too many steps: does a loop end?"};
  if (depth_ > kPlannedDeep) return run_node_by_node(graph, std::move(inputs));
  Ready& ready = *TRY(plan_for(graph, inputs));
  running.with(ready);
  const Compiled& compiled = ready.compiled;
  std::vector<Datum> values(graph.value_count());
  TRY(run_plan(graph, ready, inputs, values));
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
