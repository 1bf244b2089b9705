// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/quantised.h"

#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/quantised_graphs.h"

namespace casemate::engine {
namespace {

TEST(Quantised, graphs_become_what_is_expected_of_each) {
  for (const PassGraph& given : quantised_graphs()) {
    Derivations derivations;
    Graph graph = given.make();
    ASSERT_TRUE(graph.sound()) << given.what;
    const Status done = optimize(graph, derivations);
    ASSERT_TRUE(done) << given.what << ": " << done.error().text;
    EXPECT_EQ(operators_of(graph), given.after) << given.what << "\n" << graph.text();
    const std::string once = graph.text();
    ASSERT_TRUE(optimize(graph, derivations));
    EXPECT_EQ(graph.text(), once) << given.what;
  }
}

// A scale that makes no sense is the operators' own to deal with.
TEST(Quantised, scales_that_are_no_numbers_are_left_alone) {
  for (const float scale : {0.0F, -1.0F, INFINITY, NAN}) {
    QuantisedDraft d;
    const QuantisedDraft::Steps steps{.scale = scale};
    Graph graph = d.finish({d.told(d.add(d.told(d.input({4})), d.told(d.input({4}))), steps)});
    fuse_quantised_values(graph);
    graph.remove_dead();
    EXPECT_FALSE(operators_of(graph).contains("QLinearAdd")) << scale;
  }
}

// A bias that 32 bits cannot tell in the steps of the product would change what it means.
TEST(Quantised, a_bias_too_large_for_its_steps_is_left_alone) {
  QuantisedDraft d;
  const ValueId bias = d.graph.add_constant("b", Tensor::of<float>({2}, {1e9F, 0}));
  const ValueId gemm =
      d.node("Gemm", {d.told(d.input({3, 8})), d.told_weights({8, 2}, 1), bias}, {3, 2});
  Graph graph = d.finish({d.told(gemm)});
  fuse_quantised_products(graph);
  EXPECT_FALSE(operators_of(graph).contains("QLinearGemm"));
}

}  // namespace
}  // namespace casemate::engine
