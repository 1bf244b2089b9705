// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/passes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/passes/pass_graphs.h"

namespace casemate::engine {
namespace {

TEST(Passes, leave_of_each_graph_what_is_expected) {
  for (const PassGraph& given : pass_graphs()) {
    Graph graph = given.make();
    ASSERT_TRUE(graph.sound()) << given.what;
    const Status done = optimize(graph);
    ASSERT_TRUE(done) << given.what << ": " << done.error().text;
    EXPECT_EQ(operators_of(graph), given.after) << given.what << "\n" << graph.text();
  }
}

TEST(Passes, change_nothing_the_second_time) {
  for (const PassGraph& given : pass_graphs()) {
    Graph graph = given.make();
    ASSERT_TRUE(optimize(graph));
    const std::string once = graph.text();
    ASSERT_TRUE(optimize(graph));
    EXPECT_EQ(graph.text(), once) << given.what;
  }
}

TEST(Passes, keep_types_and_shapes_of_outputs) {
  for (const PassGraph& given : pass_graphs()) {
    Graph before = given.make();
    Graph after = given.make();
    ASSERT_TRUE(optimize(after));
    for (size_t i = 0; i < before.outputs().size(); ++i) {
      EXPECT_EQ(before.value(before.outputs()[i]).shapes, after.value(after.outputs()[i]).shapes)
          << given.what;
    }
  }
}

TEST(FoldBatchNormalization, computes_weights_and_bias_as_published) {
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
  fold_batch_normalization(graph);
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
  Draft d;
  const ValueId negative = d.graph.add_constant("variance", Tensor::of<float>({2}, {-5, 1}));
  Graph graph = d.finish({d.normalization(d.convolution(d.input({1, 1, 3, 3}), 2), negative)});
  ASSERT_TRUE(optimize(graph));
  EXPECT_EQ(operators_of(graph), "Conv BatchNormalization");
}

// Folds one node over constants and returns what became of its output.
std::optional<Tensor> folded(Node node, const std::vector<Tensor>& inputs, ElementType type,
                             const Shape& shape) {
  Graph graph;
  for (const Tensor& tensor : inputs) node.inputs.push_back(graph.add_constant("c", tensor));
  node.name = "folded";
  const ValueId id = graph.add_node(node, {{"y", type, {shape}}});
  graph.add_output(id);
  fold_constants(graph);
  if (graph.constant(id) == nullptr) return std::nullopt;
  return *graph.constant(id);
}

template <class T>
std::vector<T> values_of(const std::optional<Tensor>& tensor) {
  if (!tensor) return {};
  const auto values = tensor->values<T>();
  return {values.begin(), values.end()};
}

TEST(FoldConstants, computes_what_exporters_put_between_constants) {
  const auto row = Tensor::of<int64_t>({3}, {4, 5, 6});
  using enum ElementType;
  EXPECT_EQ(values_of<int64_t>(
                folded({.op = "Gather"}, {row, Tensor::of<int64_t>({}, {-1})}, kInt64, {})),
            (Ints{6}));
  EXPECT_EQ(values_of<int64_t>(
                folded({.op = "Gather"}, {row, Tensor::of<int64_t>({2}, {2, 0})}, kInt64, {2})),
            (Ints{6, 4}));
  EXPECT_EQ(values_of<int64_t>(folded({.op = "Concat", .attributes = {{"axis", int64_t{0}}}},
                                      {row, Tensor::of<int64_t>({1}, {-1})}, kInt64, {4})),
            (Ints{4, 5, 6, -1}));
  EXPECT_EQ(values_of<int64_t>(
                folded({.op = "Slice", .attributes = {{"starts", Ints{2}}, {"steps", Ints{-2}}}},
                       {row}, kInt64, {2})),
            (Ints{6, 4}));
  EXPECT_EQ(
      values_of<int64_t>(folded({.op = "Mul"}, {row, Tensor::of<int64_t>({}, {2})}, kInt64, {3})),
      (Ints{8, 10, 12}));
  EXPECT_EQ(values_of<float>(folded({.op = "Cast"}, {row}, kFloat32, {3})),
            (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(values_of<float>(folded({.op = "Sqrt"}, {Tensor::of<float>({1}, {9})}, kFloat32, {1})),
            (std::vector<float>{3}));
  EXPECT_EQ(
      values_of<int64_t>(folded({.op = "Expand"}, {Tensor::of<int64_t>({}, {7})}, kInt64, {2})),
      (Ints{7, 7}));
  EXPECT_EQ(values_of<int64_t>(folded({.op = "Pad", .attributes = {{"pads", Ints{1, 0}}}},
                                      {row, Tensor::of<int64_t>({}, {9})}, kInt64, {4})),
            (Ints{9, 4, 5, 6}));
}

TEST(FoldConstants, leaves_what_is_undefined_out_of_range_or_too_large) {
  const auto row = Tensor::of<int64_t>({2}, {4, INT64_MIN});
  using enum ElementType;
  EXPECT_FALSE(folded({.op = "Div"}, {row, Tensor::of<int64_t>({}, {0})}, kInt64, {2}));
  EXPECT_FALSE(folded({.op = "Div"}, {row, Tensor::of<int64_t>({}, {-1})}, kInt64, {2}));
  EXPECT_FALSE(folded({.op = "Gather"}, {row, Tensor::of<int64_t>({}, {2})}, kInt64, {}));
  EXPECT_FALSE(folded({.op = "Gather"}, {row, Tensor::of<int64_t>({}, {-3})}, kInt64, {}));
  EXPECT_FALSE(folded({.op = "Slice", .attributes = {{"starts", Ints{1}}, {"steps", Ints{1}}}},
                      {row}, kInt64, {2}));
  EXPECT_FALSE(folded({.op = "Reshape"}, {row}, kInt64, {3}));
  EXPECT_FALSE(folded({.op = "Cast"}, {Tensor::of<float>({1}, {1e30F})}, kInt64, {1}));
  EXPECT_FALSE(
      folded({.op = "Expand"}, {Tensor::of<float>({}, {1})}, kFloat32, {1 << 20, 1 << 20}));
  EXPECT_EQ(
      values_of<int64_t>(folded({.op = "Add"}, {row, Tensor::of<int64_t>({}, {-1})}, kInt64, {2})),
      (Ints{3, INT64_MAX}));
}

}  // namespace
}  // namespace casemate::engine
