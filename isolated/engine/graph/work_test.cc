// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/work.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

Made made(const char* name, const Shape& shape) { return {name, ElementType::kFloat32, {shape}}; }

TEST(Work, counts_the_multiply_adds_of_a_convolution) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {1, 3, 8, 8}));
  const ValueId w = graph.add_input(made("w", {16, 3, 5, 5}));
  graph.add_node({.op = "Conv", .inputs = {x, w}}, {made("y", {1, 16, 4, 4})});
  EXPECT_EQ(operation_count(graph, 0), 16u * 4 * 4 * 3 * 5 * 5);
}

TEST(Work, counts_those_of_products_whichever_way_they_lie) {
  Graph graph;
  const ValueId a = graph.add_input(made("a", {7, 2}));
  const ValueId b = graph.add_input(made("b", {7, 3}));
  graph.add_node({.op = "Gemm", .inputs = {a, b}, .attributes = {{"transA", int64_t{1}}}},
                 {made("y", {2, 3})});
  EXPECT_EQ(operation_count(graph, 0), 2u * 3 * 7);
  const ValueId c = graph.add_input(made("c", {4, 2, 7}));
  graph.add_node({.op = "MatMul", .inputs = {c, b}}, {made("z", {4, 2, 3})});
  EXPECT_EQ(operation_count(graph, 0), 2u * 3 * 7 + 4 * 2 * 3 * 7);
}

TEST(Work, counts_one_for_every_element_that_anything_else_makes) {
  Graph graph;
  const ValueId x = graph.add_input(made("x", {2, 5}));
  graph.add_node({.op = "Relu", .inputs = {x}}, {made("y", {2, 5})});
  EXPECT_EQ(operation_count(graph, 0), 10u);
}

TEST(Work, of_a_product_is_two_flops_for_each_multiply_add_and_every_operand_once) {
  Graph graph;
  const ValueId a = graph.add_input(made("a", {4, 7}));
  const ValueId b = graph.add_constant("b", *Tensor::zeros(ElementType::kFloat32, {7, 3}));
  graph.add_node({.op = "MatMul", .inputs = {a, b}}, {made("y", {4, 3})});
  EXPECT_EQ(work_of(graph, graph.nodes().back(), 0),
            (Work{.flops = 2 * 4 * 3 * 7, .bytes = 4 * (4 * 7 + 7 * 3 + 4 * 3)}));
  graph.add_node({.op = "Relu", .inputs = {a}}, {made("r", {4, 7})});
  EXPECT_EQ(work_of(graph, graph.nodes().back(), 0), (Work{.flops = 28, .bytes = 4 * 2 * 28}));
}

TEST(Work, reads_no_more_of_a_table_than_it_takes_from_it) {
  Graph graph;
  const ValueId table = graph.add_input(made("table", {1000, 8}));
  const ValueId rows = graph.add_input({"rows", ElementType::kInt64, {{3}}});
  graph.add_node({.op = "Gather", .inputs = {table, rows}}, {made("y", {3, 8})});
  EXPECT_EQ(work_of(graph, graph.nodes().back(), 0).bytes, 2u * 3 * 8 * 4 + 3 * 8);
}

TEST(Work, of_fused_attention_is_that_of_its_two_products) {
  Graph graph;
  const ValueId q = graph.add_input(made("q", {2, 5, 12}));
  graph.add_node({.op = "casemate:Attention",
                  .inputs = {q},
                  .attributes = {{"sizes", std::vector<int64_t>{2, 3, 5, 6, 1, 4, 4}}}},
                 {made("y", {2, 5, 12})});
  EXPECT_EQ(work_of(graph, graph.nodes().back(), 0).flops, 2u * 2 * 3 * 5 * 7 * (4 + 4));
}

TEST(Work, saturates_where_numbers_end) {
  Graph graph;
  const ValueId a = graph.add_input(made("a", {1ll << 30, 1ll << 32}));
  graph.add_node({.op = "MatMul", .inputs = {a, a}}, {made("y", {1ll << 30, 1ll << 32})});
  EXPECT_EQ(operation_count(graph, 0), UINT64_MAX);
}

}  // namespace
}  // namespace casemate::engine
