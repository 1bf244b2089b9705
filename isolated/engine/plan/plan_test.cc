// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "isolated/engine/plan/arena.h"
#include "isolated/engine/plan/run_plan.h"

namespace casemate::engine {
namespace {

Made made(const std::string& name, const Shape& shape) {
  return {name, ElementType::kFloat32, {shape}};
}

std::vector<float> numbers(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(static_cast<double>(i % 13) - 6.0) / 3;
  return values;
}

Tensor weights(const Shape& shape) {
  Tensor tensor = *Tensor::zeros(ElementType::kFloat32, shape);
  size_t i = 0;
  for (float& value : tensor.values<float>())
    value = static_cast<float>(static_cast<double>(++i % 7) - 3.0) / 10;
  return tensor;
}

ValueId convolution(Graph& graph, ValueId x, int64_t channels, const std::string& name) {
  const Shape shape = graph.value(x).shapes[0];
  Shape output = shape;
  output[1] = channels;
  const ValueId w = graph.add_constant(name + ".w", weights({channels, shape[1], 3, 3}));
  return graph.add_node({.op = "Conv",
                         .name = name,
                         .inputs = {x, w},
                         .attributes = {{"kernel_shape", std::vector<int64_t>{3, 3}},
                                        {"pads", std::vector<int64_t>(4, 1)}}},
                        {made(name, output)});
}

ValueId unary(Graph& graph, const char* op, ValueId x, const std::string& name) {
  return graph.add_node({.op = op, .name = name, .inputs = {x}},
                        {made(name, graph.value(x).shapes[0])});
}

TEST(Arena, blocks_that_live_together_do_not_overlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Block> blocks;
    for (int i = 0; i < 30; ++i) {
      const size_t first = random() % 20;
      blocks.push_back(
          {.bytes = 1 + random() % 5000, .first = first, .last = first + random() % 6});
    }
    const uint64_t total = place_blocks(blocks);
    for (size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(blocks[i].offset % kArenaAlignment, 0u);
      EXPECT_LE(blocks[i].offset + blocks[i].bytes, total);
      for (size_t j = 0; j < i; ++j) {
        const bool together =
            blocks[i].first <= blocks[j].last && blocks[j].first <= blocks[i].last;
        const bool overlap = blocks[i].offset < blocks[j].offset + blocks[j].bytes &&
                             blocks[j].offset < blocks[i].offset + blocks[i].bytes;
        EXPECT_FALSE(together && overlap);
      }
    }
  }
}

TEST(Arena, blocks_that_follow_each_other_share_memory) {
  std::vector<Block> chain;
  for (size_t i = 0; i < 50; ++i) chain.push_back({.bytes = 640, .first = i, .last = i + 1});
  EXPECT_EQ(place_blocks(chain), 1280u);
}

TEST(Plan, is_data_that_can_be_printed) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {1, 3, 4, 4}));
  graph.add_output(unary(graph, "Relu", convolution(graph, x, 8, "conv"), "relu"));
  const auto run = run_graph(graph, {numbers(48)});
  ASSERT_TRUE(run) << run.error().text;
  for (const char* part : {"arena ", "output 0", "conv", "relu", "in0", "out0", "channels-last"}) {
    EXPECT_NE(run->text.find(part), std::string::npos) << run->text;
  }
}

TEST(Plan, keeps_the_layout_between_convolutions) {
  Graph graph;
  ValueId x = graph.add_input(made("x", {1, 3, 8, 8}));
  for (const char* name : {"a", "b", "c"})
    x = unary(graph, "Relu", convolution(graph, x, 24, name), std::string(name) + ".relu");
  graph.add_output(x);
  for (const Layout layout : {Layout::kChannelsLast, Layout::kBlocked16}) {
    const auto run = run_graph(graph, {numbers(192)}, layout);
    ASSERT_TRUE(run) << run.error().text;
    // Into the layout at most once, out of it once.
    EXPECT_LE(run->steps, 6u + 2u) << run->text;
    EXPECT_GE(run->steps, 6u + 1u) << run->text;
  }
}

TEST(Plan, gives_the_same_numbers_in_every_layout) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {2, 3, 8, 8}));
  const ValueId a = unary(graph, "Relu", convolution(graph, x, 20, "a"), "a.relu");
  const ValueId b = convolution(graph, a, 20, "b");
  const ValueId sum = graph.add_node({.op = "Add", .name = "sum", .inputs = {b, a}},
                                     {made("sum", graph.value(b).shapes[0])});
  graph.add_output(sum);
  graph.add_output(a);
  const auto expected = run_graph(graph, {numbers(384)}, Layout::kRowMajor);
  ASSERT_TRUE(expected) << expected.error().text;
  for (const Layout layout : {Layout::kChannelsLast, Layout::kBlocked8, Layout::kBlocked16}) {
    const auto run = run_graph(graph, {numbers(384)}, layout);
    ASSERT_TRUE(run) << run.error().text;
    for (size_t o = 0; o < 2; ++o) {
      for (size_t i = 0; i < run->outputs[o].size(); ++i) {
        ASSERT_NEAR(run->outputs[o][i], expected->outputs[o][i], 1e-4)
            << name_of(layout) << " " << i;
      }
    }
  }
}

// y = conv(x) + residual, the sum fused.
Graph residual_graph(bool read_again) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {1, 16, 6, 6}));
  const ValueId r = convolution(graph, x, 16, "r");
  const ValueId c = convolution(graph, x, 16, "c");
  Node& node = graph.nodes().back();
  node.post_ops = {{.op = "Add", .operand = 3}};
  node.inputs.push_back({});  // no bias
  node.inputs.push_back(r);
  ValueId y = unary(graph, "Relu", c, "y");
  if (read_again)
    y = graph.add_node({.op = "Add", .name = "again", .inputs = {y, r}},
                       {made("again", {1, 16, 6, 6})});
  graph.add_output(y);
  return graph;
}

TEST(Plan, adds_a_residual_in_place_only_where_it_dies) {
  const auto dies = run_graph(residual_graph(false), {numbers(576)});
  const auto lives = run_graph(residual_graph(true), {numbers(576)});
  ASSERT_TRUE(dies && lives);
  const auto line_of = [](const std::string& text) {
    const size_t at = text.find("  c ");
    return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  };
  // The operand's place is the result's place, or not.
  const std::string in_place = line_of(dies->text);
  const std::string beside = line_of(lives->text);
  const auto places = [](const std::string& line) {
    const size_t arrow = line.rfind("-> ");
    const std::string result = line.substr(arrow + 3);
    return line.substr(0, arrow).find(" " + result + " ") != std::string::npos;
  };
  EXPECT_TRUE(places(in_place)) << dies->text;
  EXPECT_FALSE(places(beside)) << lives->text;
  for (size_t i = 0; i < 576; ++i) {
    const float relu = dies->outputs[0][i];
    EXPECT_GE(relu, 0);
  }
}

TEST(Plan, adds_in_place_what_dies_and_not_what_the_product_adds_itself) {
  // y = x w + c + r: c is the caller's, or is read again, while r dies.
  for (const bool computed : {false, true}) {
    Graph graph;
    const ValueId x = graph.add_input(made("x", {4, 4}));
    const ValueId given = graph.add_input(made("c", {4, 4}));
    const ValueId c = computed ? unary(graph, "Neg", given, "-c") : given;
    const ValueId r = unary(graph, "Abs", x, "r");
    const ValueId w = graph.add_constant("w", weights({4, 4}));
    Node gemm{.op = "Gemm", .name = "gemm", .inputs = {x, w, c, r}};
    gemm.post_ops = {{.op = "Add", .operand = 3}};
    const ValueId y = graph.add_node(gemm, {made("y", {4, 4})});
    graph.add_output(unary(graph, "Neg", y, "out"));
    graph.add_output(unary(graph, "Neg", c, "again"));
    const auto run = run_graph(graph, {numbers(16), numbers(16)});
    ASSERT_TRUE(run) << run.error().text;
    EXPECT_TRUE(run->inputs_intact) << run->text;
    for (size_t i = 0; i < 16; ++i) {
      float sum = (computed ? -1.0F : 1.0F) * numbers(16)[i] + std::fabs(numbers(16)[i]);
      for (size_t k = 0; k < 4; ++k) {
        sum += numbers(16)[i / 4 * 4 + k] * weights({4, 4}).values<float>()[k * 4 + i % 4];
      }
      EXPECT_NEAR(run->outputs[0][i], -sum, 1e-4) << run->text;
      EXPECT_EQ(run->outputs[1][i], (computed ? 1.0F : -1.0F) * numbers(16)[i]) << run->text;
    }
  }
}

TEST(Plan, adds_an_input_of_the_caller_beside_the_result) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {4, 4}));
  const ValueId r = graph.add_input(made("r", {4, 4}));
  const ValueId w = graph.add_constant("w", weights({4, 4}));
  Node product{.op = "MatMul", .name = "product", .inputs = {x, w, r}};
  product.post_ops = {{.op = "Add", .operand = 2}};
  graph.add_output(unary(graph, "Neg", graph.add_node(product, {made("y", {4, 4})}), "out"));
  const auto run = run_graph(graph, {numbers(16), numbers(16)});
  ASSERT_TRUE(run) << run.error().text;
  EXPECT_TRUE(run->inputs_intact) << run->text;
}

TEST(Plan, never_writes_to_the_callers_inputs) {
  // Relu may work in place, but not on an input: run_graph would see it change.
  Graph graph;
  const ValueId x = graph.add_input(made("x", {64}));
  const ValueId y = unary(graph, "Neg", x, "y");
  graph.add_output(unary(graph, "Neg", y, "z"));
  graph.add_output(x);
  const auto run = run_graph(graph, {numbers(64)});
  ASSERT_TRUE(run) << run.error().text;
  EXPECT_EQ(run->outputs[0], numbers(64));
  EXPECT_EQ(run->outputs[1], numbers(64));
}

TEST(Plan, views_share_bytes_and_outlive_what_they_view) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {4, 6}));
  const ValueId a = unary(graph, "Neg", x, "a");
  const ValueId view =
      graph.add_node({.op = "Reshape", .name = "view", .inputs = {a}}, {made("view", {24})});
  ValueId other = unary(graph, "Abs", x, "other");
  for (int i = 0; i < 4; ++i) other = unary(graph, "Neg", other, "n" + std::to_string(i));
  graph.add_output(
      graph.add_node({.op = "Reshape", .name = "back", .inputs = {other}}, {made("back", {24})}));
  graph.add_output(unary(graph, "Neg", view, "last"));
  const auto run = run_graph(graph, {numbers(24)});
  ASSERT_TRUE(run) << run.error().text;
  EXPECT_EQ(run->outputs[1], numbers(24));
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(run->outputs[0][i], std::fabs(numbers(24)[i]));
}

TEST(Plan, one_value_can_be_several_outputs) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {8}));
  const ValueId y = unary(graph, "Neg", x, "y");
  for (int i = 0; i < 3; ++i) graph.add_output(y);
  const auto run = run_graph(graph, {numbers(8)});
  ASSERT_TRUE(run) << run.error().text;
  EXPECT_EQ(run->outputs[0], run->outputs[1]);
  EXPECT_EQ(run->outputs[0], run->outputs[2]);
}

TEST(Plan, reuses_memory_along_a_chain) {
  Graph graph;
  ValueId x = graph.add_input(made("x", {1, 12, 16, 16}));
  for (int i = 0; i < 12; ++i) x = convolution(graph, x, 12, "conv" + std::to_string(i));
  graph.add_output(x);
  const auto run = run_graph(graph, {numbers(3072)});
  ASSERT_TRUE(run) << run.error().text;
  // Two activations live at any time, plus scratch.
  EXPECT_LT(run->arena_bytes, 8u * 12288u) << run->text;
}

TEST(Plan, names_the_node_without_a_kernel) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {8}));
  graph.add_output(unary(graph, "Frobnicate", x, "frob"));
  const auto run = run_graph(graph, {numbers(8)});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, Code::kUnsupported);
  EXPECT_NE(run.error().text.find("node 'frob' (Frobnicate)"), std::string::npos)
      << run.error().text;
}

}  // namespace
}  // namespace casemate::engine
