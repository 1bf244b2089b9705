// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: nodes with subgraphs, how one writes these down, and a host that runs them.

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {

// A subgraph in the making.
struct BodyDraft {
  Graph graph = Graph::unshaped();

  ValueId input(const std::string& name, ElementType type = ElementType::kNone) {
    return graph.add_input({name, type});
  }
  ValueId constant(const Tensor& tensor) { return graph.add_constant("constant", tensor); }
  ValueId node(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    Node made{
        .op = op, .name = op, .inputs = std::move(inputs), .attributes = std::move(attributes)};
    return graph.add_node(std::move(made), {{op + "'", ElementType::kNone}});
  }
  Subgraph done() { return std::make_shared<const Graph>(std::move(graph)); }
};

// Runs subgraphs node by node, a bounded number of them.
class BodyHost final : public Host {
 public:
  explicit BodyHost(uint64_t runs_max) : runs_left_(runs_max) {}

  Status allow(uint64_t bytes) override { return host_.allow(bytes); }
  Result<std::vector<Datum>> run(const Graph& graph, std::vector<Datum> inputs) override {
    if (runs_left_-- == 0) return Error{Code::kTooLarge, "more runs than a test may have"};
    std::vector<Datum> values(graph.value_count());
    for (uint32_t i = 0; i < graph.value_count(); ++i) {
      if (const Tensor* constant = graph.constant({i})) values[i] = *constant;
    }
    for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs()[i].index] = inputs[i];
    for (const Node& node : graph.nodes()) {
      std::vector<Datum> made = TRY(outputs_of(node, values));
      for (size_t i = 0; i < made.size(); ++i) values[node.outputs[i].index] = std::move(made[i]);
    }
    std::vector<Datum> outputs;
    for (const ValueId id : graph.outputs()) outputs.push_back(values[id.index]);
    return outputs;
  }

 private:
  Result<std::vector<Datum>> outputs_of(const Node& node, const std::vector<Datum>& values) {
    static const Datum kNothing;
    std::vector<Fact> facts;
    for (const ValueId id : node.inputs)
      facts.push_back(Fact::of(id.present() ? values[id.index] : kNothing));
    Computation computation(node, std::move(facts), *this, Computation::Mode::kRun);
    TRY(Operators::instance().find(node.op)(computation));
    return std::move(computation.outputs());
  }

  TestHost host_;
  uint64_t runs_left_;
};

// Runs a node whose subgraphs are attributes, with what they capture behind its own inputs.
inline Result<std::vector<Datum>> run_control(const NodeRun& run, uint64_t runs_max = 1000) {
  BodyHost host(runs_max);
  const Node node = node_of(run);
  std::vector<Fact> facts;
  for (const Datum& input : run.inputs) facts.push_back(Fact::of(input));
  Computation real(node, std::move(facts), host, Computation::Mode::kRun);
  TRY(Operators::instance().find(run.op)(real));
  return std::move(real.outputs());
}

// Why the node is refused while nothing is known of its inputs but what they are, as when a model
// is loaded; empty where it waits for them.
inline std::string refusal_at_load(const NodeRun& run) {
  TestHost host;
  const Node node = node_of(run);
  std::vector<Fact> facts;
  for (const Datum& input : run.inputs) {
    facts.push_back(Fact::of(input));
    if (facts.back().given) facts.back().datum = nullptr;
  }
  Computation dry(node, std::move(facts), host, Computation::Mode::kDry);
  const Status done = Operators::instance().find(run.op)(dry);
  return done || dry.outcome().unknown ? "" : done.error().text;
}

}  // namespace casemate::engine
