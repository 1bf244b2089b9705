// SPDX-License-Identifier: Apache-2.0
// Every graph that a pass has something to do with, run as it is and after each pass.
#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/text_graphs.h"
#include "isolated/engine/plan/run_plan.h"

namespace casemate::engine {
namespace {

std::vector<std::vector<float>> inputs_for(const Graph& graph) {
  std::vector<std::vector<float>> inputs;
  for (const ValueId id : graph.inputs()) {
    std::vector<float> values(*graph.value(id).shapes[0].element_count());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = (static_cast<float>((i + inputs.size()) * 29 % 31) - 15) / 10;
    inputs.push_back(std::move(values));
  }
  return inputs;
}

// An identity has no kernel until the pass that removes it has run.
bool runnable(const Graph& graph) {
  return std::ranges::none_of(graph.nodes(),
                              [](const Node& node) { return node.op == "Identity"; });
}

void expect_same(const PlannedRun& got, const PlannedRun& expected) {
  ASSERT_EQ(got.outputs.size(), expected.outputs.size());
  for (size_t o = 0; o < got.outputs.size(); ++o) {
    ASSERT_EQ(got.outputs[o].size(), expected.outputs[o].size());
    for (size_t i = 0; i < got.outputs[o].size(); ++i) {
      ASSERT_NEAR(got.outputs[o][i], expected.outputs[o][i],
                  1e-5 * std::max(1.0F, std::fabs(expected.outputs[o][i])));
    }
  }
}

TEST(PassesKeepResults, of_every_graph_after_every_pass_in_every_layout) {
  Derivations derivations;
  for (const PassGraph& given : pass_graphs()) {
    SCOPED_TRACE(given.what);
    Graph graph = given.make();
    const auto inputs = inputs_for(graph);
    std::optional<PlannedRun> expected;
    if (runnable(graph)) expected = *run_graph(graph, inputs);
    for (const Pass& pass : passes()) {
      SCOPED_TRACE(std::string(pass.name));
      const std::string before = graph.text();
      pass.run(graph, derivations);
      graph.remove_dead();
      if (!runnable(graph) || (graph.text() == before && expected)) continue;
      for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked16}) {
        const auto run = run_graph(graph, inputs, layout);
        ASSERT_TRUE(run) << run.error().text;
        if (!expected) expected = *run;
        expect_same(*run, *expected);
      }
    }
  }
}

}  // namespace
}  // namespace casemate::engine
