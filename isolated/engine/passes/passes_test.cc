// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/passes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/passes/text_graphs.h"

namespace casemate::engine {
namespace {

TEST(Passes, leave_of_each_graph_what_is_expected) {
  Derivations derivations;
  for (const PassGraph& given : pass_graphs()) {
    Graph graph = given.make();
    ASSERT_TRUE(graph.sound()) << given.what;
    const Status done = optimize(graph, derivations);
    ASSERT_TRUE(done) << given.what << ": " << done.error().text;
    EXPECT_EQ(operators_of(graph), given.after) << given.what << "\n" << graph.text();
  }
}

TEST(Passes, change_nothing_the_second_time) {
  Derivations derivations;
  for (const PassGraph& given : pass_graphs()) {
    Graph graph = given.make();
    ASSERT_TRUE(optimize(graph, derivations));
    const std::string once = graph.text();
    ASSERT_TRUE(optimize(graph, derivations));
    EXPECT_EQ(graph.text(), once) << given.what;
  }
}

// As recurrent networks do whose last state alone is wanted.
TEST(Passes, take_nodes_whose_first_output_is_left_out) {
  Derivations derivations;
  Draft d;
  const ValueId x = d.input({1, 4, 6, 6});
  d.graph.add_node({.op = "Split", .name = "s", .inputs = {x}},
                   {{"", ElementType::kFloat32, {{1, 2, 6, 6}}},
                    {"second", ElementType::kFloat32, {{1, 2, 6, 6}}}});
  const ValueId second = d.graph.nodes().back().outputs[1];
  Graph graph = d.finish({d.same("Neg", second)});
  ASSERT_TRUE(optimize(graph, derivations));
  EXPECT_EQ(operators_of(graph), "Split Neg");
}

TEST(Passes, keep_types_and_shapes_of_outputs) {
  Derivations derivations;
  for (const PassGraph& given : pass_graphs()) {
    Graph before = given.make();
    Graph after = given.make();
    ASSERT_TRUE(optimize(after, derivations));
    for (size_t i = 0; i < before.outputs().size(); ++i) {
      EXPECT_EQ(before.value(before.outputs()[i]).shapes, after.value(after.outputs()[i]).shapes)
          << given.what;
    }
  }
}

TEST(FoldBatchNormalization, computes_weights_and_bias_as_published) {
  Derivations derivations;
  Draft d;
  const ValueId x = d.input({1, 1, 2, 2});
  const ValueId w = d.graph.add_constant("w", Tensor::of<float>({2, 1, 1, 1}, {3, 5}));
  const ValueId b = d.graph.add_constant("b", Tensor::of<float>({2}, {1, -1}));
  const ValueId c = d.node("Conv", {x, w, b}, {1, 2, 2, 2});
  std::vector<ValueId> inputs = {c};
  const float parameters[4][2] = {
      {2, 4}, {0.5F, -0.5F}, {10, 20}, {3, 8}};  // gamma, beta, mean, variance
  for (const auto& row : parameters)
    inputs.push_back(d.graph.add_constant("p", Tensor::of<float>({2}, {row[0], row[1]})));
  Graph graph = d.finish({d.node("BatchNormalization", inputs, {1, 2, 2, 2}, {{"epsilon", 1.0F}})});
  fold_batch_normalization(graph, derivations);
  graph.remove_dead();
  ASSERT_EQ(operators_of(graph), "Conv");
  const Node& folded = graph.nodes()[0];
  // 2/sqrt(3+1) = 1 and 4/sqrt(8+1) = 4/3.
  EXPECT_FLOAT_EQ(graph.constant(folded.inputs[1])->values<float>()[0], 3);
  EXPECT_FLOAT_EQ(graph.constant(folded.inputs[1])->values<float>()[1], 5 * 4.0F / 3);
  EXPECT_FLOAT_EQ(graph.constant(folded.inputs[2])->values<float>()[0], (1 - 10) * 1 + 0.5F);
  EXPECT_FLOAT_EQ(graph.constant(folded.inputs[2])->values<float>()[1],
                  (-1.0F - 20) * 4 / 3 - 0.5F);
}

TEST(FoldBatchNormalization, leaves_a_variance_that_makes_no_sense_to_the_kernel) {
  Derivations derivations;
  Draft d;
  const ValueId negative = d.graph.add_constant("variance", Tensor::of<float>({2}, {-5, 1}));
  Graph graph = d.finish({d.normalization(d.convolution(d.input({1, 1, 3, 3}), 2), negative)});
  ASSERT_TRUE(optimize(graph, derivations));
  EXPECT_EQ(operators_of(graph), "Conv BatchNormalization");
}

}  // namespace
}  // namespace casemate::engine
