// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/interpret/interpreter.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {
namespace {

Error at(const Node& node, const Error& error) {
  // What a subgraph's node said needs no second name.
  if (error.text.starts_with("node '")) return error;
  return {error.code, formatted("{}: {}", place_of(node), error.text)};
}

}  // namespace

Status Interpreter::allow(uint64_t bytes) {
  if (bytes <= limits_.memory_bytes_max && live_bytes_ <= limits_.memory_bytes_max - bytes) {
    return {};
  }
  return Error{Code::kTooLarge,
               formatted("{} bytes more than the {} in use pass the limit of {}: allow the model "
                         "more memory",
                         bytes, live_bytes_, limits_.memory_bytes_max)};
}

Status Interpreter::hold(uint64_t before, uint64_t now) {
  TRY(allow(now - std::min(before, now)));
  live_bytes_ += now - before;
  return {};
}

const Interpreter::Ends& Interpreter::ends_of(const Graph& graph) {
  const auto [found, fresh] = ends_.try_emplace(&graph);
  if (!fresh) return found->second;
  std::vector<bool> read(graph.value_count());
  for (const ValueId id : graph.outputs()) read[id.index] = true;
  Ends& ends = found->second;
  ends.resize(graph.nodes().size());
  for (size_t i = graph.nodes().size(); i-- > 0;) {
    const auto ending = [&](ValueId id) {
      if (!id.present() || read[id.index]) return;
      read[id.index] = true;
      ends[i].push_back(id);
    };
    for (const ValueId id : graph.nodes()[i].outputs) ending(id);
    for (const ValueId id : graph.nodes()[i].inputs) ending(id);
  }
  return ends;
}

Status Interpreter::count_step() {
  if (++steps_ <= limits_.steps_max) return {};
  return Error{Code::kTooLarge,
               formatted("the run takes more than {} steps: does a loop end?", limits_.steps_max)};
}

void Interpreter::release(Datum& datum) {
  live_bytes_ -= datum.bytes();
  datum = {};
}

Status Interpreter::run_node(const Node& node, std::vector<Datum>& values) {
  if (const Status counted = count_step(); !counted) return at(node, counted.error());
  const Compute compute = Operators::instance().find(node.op);
  if (compute == nullptr) return at(node, {Code::kUnsupported, "this operator is not supported"});
  std::vector<Fact> facts;
  facts.reserve(node.inputs.size());
  static const Datum kNothing;
  for (const ValueId id : node.inputs)
    facts.push_back(Fact::of(id.present() ? values[id.index] : kNothing));
  Computation computation(node, std::move(facts), *this, Computation::Mode::kRun);
  const uint64_t live = live_bytes_;
  const Status done = compute(computation);
  live_bytes_ = live;  // what it held in between is gone
  if (!done) return at(node, done.error());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].present()) continue;
    Datum& made = computation.outputs()[i];
    live_bytes_ += made.bytes();
    values[node.outputs[i].index] = std::move(made);
  }
  return {};
}

Result<std::vector<Datum>> Interpreter::run(const Graph& graph, std::vector<Datum> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    return Error{Code::kInvalid, formatted("a graph with {} inputs is given {}",
                                           graph.inputs().size(), inputs.size())};
  }
  TRY(count_step());  // a loop may have a body without nodes
  const Ends& ends = ends_of(graph);
  std::vector<Datum> values(graph.value_count());
  for (uint32_t i = 0; i < graph.value_count(); ++i) {
    if (const Tensor* constant = graph.constant({i})) {
      values[i] = *constant;
      live_bytes_ += values[i].bytes();
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    live_bytes_ += inputs[i].bytes();
    values[graph.inputs()[i].index] = std::move(inputs[i]);
  }
  Status done;
  for (size_t i = 0; done && i < graph.nodes().size(); ++i) {
    done = run_node(graph.nodes()[i], values);
    for (const ValueId id : ends[i]) release(values[id.index]);
  }
  std::vector<Datum> outputs;
  for (const ValueId id : graph.outputs()) outputs.push_back(values[id.index]);
  for (Datum& value : values) release(value);
  if (!done) return done.error();
  return outputs;
}

}  // namespace casemate::engine
