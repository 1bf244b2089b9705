// SPDX-License-Identifier: Apache-2.0
// Every graph of quantised values, run as it is and as passes leave it, with and without generated
// code: at most one step of quantisation apart.
#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/quantised_graphs.h"
#include "isolated/engine/plan/run_plan.h"

namespace casemate::engine {
namespace {

std::vector<std::vector<float>> inputs_for(const Graph& graph) {
  std::vector<std::vector<float>> inputs;
  for (const ValueId id : graph.inputs()) {
    std::vector<float> values(*graph.value(id).shapes[0].element_count());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = (static_cast<float>((i + inputs.size()) * 29 % 127) - 63) / 31;
    inputs.push_back(std::move(values));
  }
  return inputs;
}

// The largest step that an output is told in: that of its DequantizeLinear.
float step_of(const Graph& graph) {
  float step = 1e-4F;
  for (const Node& node : graph.nodes()) {
    if (node.op != "DequantizeLinear") continue;
    step = std::max(step, graph.constant(node.inputs[1])->values<float>()[0]);
  }
  return step;
}

TEST(QuantisedResults, are_at_most_a_step_from_what_the_graph_says) {
  for (const PassGraph& given : quantised_graphs()) {
    SCOPED_TRACE(given.what);
    Derivations derivations;
    Graph graph = given.make();
    const auto inputs = inputs_for(graph);
    Graph plain = graph;
    plain.remove_dead();  // what tells of constants
    const auto expected = run_graph(plain, inputs);
    ASSERT_TRUE(expected) << expected.error().text;
    ASSERT_TRUE(optimize(graph, derivations));
    const auto got = run_graph(graph, inputs);
    ASSERT_TRUE(got) << got.error().text;
    size_t apart = 0;
    size_t count = 0;
    for (size_t o = 0; o < got->outputs.size(); ++o) {
      for (size_t i = 0; i < got->outputs[o].size(); ++i, ++count) {
        const float difference = std::fabs(got->outputs[o][i] - expected->outputs[o][i]);
        ASSERT_LE(difference, 1.001F * step_of(plain)) << i;
        if (difference > 1e-4F) ++apart;
      }
    }
    // Sums in another order meet another side of a half now and then, no more.
    EXPECT_LE(apart * 20, count);
  }
}

TEST(QuantisedResults, are_the_same_in_plans_without_generated_code) {
  for (const PassGraph& given : quantised_graphs()) {
    SCOPED_TRACE(given.what);
    Derivations derivations;
    Graph graph = given.make();
    const auto inputs = inputs_for(graph);
    ASSERT_TRUE(optimize(graph, derivations, Fusion::kOwnLoops));
    const auto generated = run_graph(graph, inputs);
    const auto fixed = run_graph(graph, inputs, Layout::kChannelsLast, true);
    ASSERT_TRUE(generated) << generated.error().text;
    ASSERT_TRUE(fixed) << fixed.error().text;
    for (size_t o = 0; o < fixed->outputs.size(); ++o) {
      for (size_t i = 0; i < fixed->outputs[o].size(); ++i)
        ASSERT_NEAR(fixed->outputs[o][i], generated->outputs[o][i], 1e-5F);
    }
  }
}

}  // namespace
}  // namespace casemate::engine
