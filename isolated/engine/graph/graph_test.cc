// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "isolated/engine/graph/activation.h"
#include "isolated/engine/graph/box.h"
#include "isolated/engine/graph/graph.h"

namespace casemate::engine {
namespace {

Made made(const char* name, const Shape& shape) { return {name, ElementType::kFloat32, {shape}}; }

TEST(Tensor, holds_exactly_the_bytes_its_shape_needs) {
  EXPECT_TRUE(Tensor::make(ElementType::kFloat32, {2}, std::string(8, '\0')));
  const auto refused = Tensor::make(ElementType::kFloat32, {2}, std::string(9, '\0'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "a FP32 tensor of shape [2] has 9 bytes of data, it needs 8");
  EXPECT_EQ(Tensor::make(ElementType::kString, {1}, "x").error().code, Code::kUnsupported);
}

TEST(Tensor, refuses_shapes_whose_size_overflows) {
  EXPECT_EQ(tensor_bytes(ElementType::kFloat64, {1ll << 31, 1ll << 31}).error().code,
            Code::kTooLarge);
  EXPECT_EQ(tensor_bytes(ElementType::kFloat32, {1ll << 62, 4}).error().code, Code::kTooLarge);
  EXPECT_EQ(tensor_bytes(ElementType::kFloat32, {-1}).error().code, Code::kInvalid);
  EXPECT_EQ(*tensor_bytes(ElementType::kFloat32, {1ll << 40, 0}), 0u);
}

TEST(Tensor, gives_its_elements_as_numbers) {
  const auto tensor = Tensor::of<int64_t>({3}, {1, -2, 3});
  EXPECT_EQ(tensor.values<int64_t>()[1], -2);
  EXPECT_EQ(tensor.reshaped({3, 1}).shape(), (Shape{3, 1}));
}

TEST(TensorDeathTest, reading_elements_as_another_type_is_a_bug) {
  const auto tensor = Tensor::of<int64_t>({1}, {1});
  EXPECT_DEATH((void)tensor.values<float>(), "read as the type it has");
}

TEST(Attributes, read_as_the_default_when_missing_or_of_another_type) {
  const Attributes attributes{{"axis", int64_t{2}}, {"pads", std::vector<int64_t>{1, 2}}};
  EXPECT_EQ(attributes.integer("axis", 0), 2);
  EXPECT_EQ(attributes.integer("missing", 7), 7);
  EXPECT_EQ(attributes.real("axis", 0.5F), 0.5F);
  EXPECT_EQ(attributes.integers("pads").size(), 2u);
  EXPECT_TRUE(attributes.integers("axis").empty());
}

// x -> Relu -> Neg -> y, and a Neg of the constant that nobody reads.
struct Chain {
  Graph graph;
  ValueId x = graph.add_input(made("x", {2}));
  ValueId c = graph.add_constant("c", Tensor::of<float>({1}, {1.0F}));
  ValueId unread =
      graph.add_node({.op = "Neg", .name = "n0", .inputs = {c}}, {made("unread", {1})});
  ValueId a = graph.add_node({.op = "Relu", .name = "n1", .inputs = {x}}, {made("a", {2})});
  ValueId y = graph.add_node({.op = "Neg", .name = "n2", .inputs = {a}}, {made("y", {2})});
  Chain() { graph.add_output(y); }
};

TEST(Graph, knows_makers_and_readers) {
  const Chain chain;
  const Uses uses(chain.graph);
  EXPECT_EQ(uses.maker(chain.a), 1u);
  EXPECT_EQ(uses.maker(chain.x), std::nullopt);
  EXPECT_EQ(uses.only_reader(chain.a), 2u);
  EXPECT_EQ(uses.only_reader(chain.y), std::nullopt);
  EXPECT_TRUE(uses.is_output(chain.y));
}

TEST(Graph, drops_what_nobody_reads) {
  Chain chain;
  chain.graph.remove_dead();
  EXPECT_EQ(chain.graph.nodes().size(), 2u);
  EXPECT_EQ(chain.graph.constant(chain.c), nullptr);
  EXPECT_TRUE(chain.graph.sound());
}

TEST(Graph, is_sound_only_in_the_order_in_which_it_runs) {
  Chain chain;
  EXPECT_TRUE(chain.graph.sound());
  std::swap(chain.graph.nodes()[1], chain.graph.nodes()[2]);
  const Status unsound = chain.graph.sound();
  ASSERT_FALSE(unsound);
  EXPECT_EQ(unsound.error().text, "node 'n2' (Neg): reads 'a' before it is made");
}

TEST(Graph, is_not_sound_when_a_value_is_made_twice_or_a_shape_is_unknown) {
  Chain twice;
  twice.graph.nodes()[2].outputs = {twice.a};
  EXPECT_FALSE(twice.graph.sound());
  Chain unknown;
  unknown.graph.value(unknown.a).shapes = {Shape{-1}};
  EXPECT_EQ(unknown.graph.sound().error().text, "node 'n1' (Relu): the shape of 'a' is not known");
}

TEST(Activation, takes_its_parameters_from_attributes_or_the_standard) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {2}));
  EXPECT_EQ(as_post_op(graph, {.op = "LeakyRelu", .inputs = {x}})->alpha, 0.01F);
  EXPECT_EQ(
      as_post_op(graph, {.op = "LeakyRelu", .inputs = {x}, .attributes = {{"alpha", 0.3F}}})->alpha,
      0.3F);
  EXPECT_EQ(as_post_op(graph, {.op = "Conv", .inputs = {x}}), std::nullopt);
  const ValueId whole = graph.add_input({"i", ElementType::kInt64, {Shape{2}}});
  EXPECT_EQ(as_post_op(graph, {.op = "Abs", .inputs = {whole}}), std::nullopt);
}

TEST(Box, broadcasting_repeats_extents_of_one) {
  EXPECT_TRUE(broadcastable({3, 1}, {2, 3, 4}));
  EXPECT_FALSE(broadcastable({2}, {3}));
  EXPECT_FALSE(broadcastable({1, 3}, {3}));
  const Steps steps = broadcast_steps({3, 1}, {2, 3, 4});
  EXPECT_EQ(steps[0], 0);
  EXPECT_EQ(steps[1], 1);
  EXPECT_EQ(steps[2], 0);
}

TEST(Box, inside_sees_every_way_out) {
  const Box whole{.shape = {2, 3}, .read = dense_steps({2, 3}), .write = dense_steps({2, 3})};
  EXPECT_TRUE(inside(whole, {2, 3}, {2, 3}));
  EXPECT_FALSE(inside(whole, {2, 2}, {2, 3}));
  EXPECT_FALSE(inside(whole, {2, 3}, {5}));
  Box shifted = whole;
  shifted.from = -1;
  EXPECT_FALSE(inside(shifted, {2, 3}, {2, 3}));
}

}  // namespace
}  // namespace casemate::engine
