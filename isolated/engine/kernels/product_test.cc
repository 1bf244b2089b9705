// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"

namespace casemate::engine {
namespace {

// The matrix with rows and columns swapped.
Tensor transposed(const Tensor& matrix) {
  const int64_t rows = matrix.shape()[0];
  const int64_t columns = matrix.shape()[1];
  Tensor result = *Tensor::zeros(ElementType::kFloat32, {columns, rows});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      result.values<float>()[static_cast<size_t>(c * rows + r)] =
          matrix.values<float>()[static_cast<size_t>(r * columns + c)];
    }
  }
  return result;
}

TEST(Product, matmul_broadcasts_as_numpy_does) {
  const struct {
    Shape a, b, output;
  } cases[] = {
      {{1, 1}, {1, 1}, {1, 1}},
      {{3, 5}, {5, 7}, {3, 7}},
      {{1, 256}, {256, 10}, {1, 10}},
      {{4, 3, 5}, {5, 7}, {4, 3, 7}},
      {{2, 3, 4, 5}, {2, 3, 5, 6}, {2, 3, 4, 6}},
      {{2, 1, 4, 5}, {1, 3, 5, 6}, {2, 3, 4, 6}},
      {{4, 5}, {3, 5, 6}, {3, 4, 6}},
      {{17, 33}, {33, 65}, {17, 65}},
  };
  for (const auto& given : cases) {
    for (const bool constant : {false, true}) {
      SCOPED_TRACE(given.a.text() + " x " + given.b.text() + (constant ? " constant" : ""));
      const NodeCase made{.node = {.op = "MatMul"},
                          .inputs = {{noise(given.a, 1)}, {noise(given.b, 2), constant}},
                          .output = given.output};
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_FALSE(result->needs.slow) << result->needs.implementation;
      EXPECT_TRUE(near(result->output, reference_matmul(made.inputs[0].tensor,
                                                        made.inputs[1].tensor, given.output)));
    }
  }
}

TEST(Product, matmul_takes_vectors_as_rows_and_columns) {
  const Tensor vector = noise({5}, 1);
  const Tensor matrix = noise({5, 3}, 2);
  const NodeCase row{.node = {.op = "MatMul"}, .inputs = {{vector}, {matrix, true}}, .output = {3}};
  EXPECT_TRUE(
      near(run_case(row)->output, reference_matmul(vector.reshaped({1, 5}), matrix, {1, 3})));
  const NodeCase column{
      .node = {.op = "MatMul"}, .inputs = {{transposed(matrix)}, {vector}}, .output = {3}};
  EXPECT_TRUE(near(run_case(column)->output,
                   reference_matmul(transposed(matrix), vector.reshaped({5, 1}), {3, 1})));
}

TEST(Product, gemm_transposes_either_side) {
  const Tensor a = noise({4, 6}, 1);
  const Tensor b = noise({6, 9}, 2);
  for (const bool left : {false, true}) {
    for (const bool right : {false, true}) {
      for (const bool constant : {false, true}) {
        const NodeCase made{
            .node = {.op = "Gemm",
                     .attributes = {{"transA", int64_t{left}}, {"transB", int64_t{right}}}},
            .inputs = {{left ? transposed(a) : a}, {right ? transposed(b) : b, constant}},
            .output = {4, 9}};
        const auto result = run_case(made);
        ASSERT_TRUE(result) << result.error().text;
        EXPECT_TRUE(near(result->output, reference_matmul(a, b, {4, 9})));
      }
    }
  }
}

TEST(Product, gemm_adds_what_broadcasts_to_its_result) {
  const Tensor a = noise({4, 6}, 1);
  const Tensor b = noise({6, 9}, 2);
  const auto product = reference_matmul(a, b, {4, 9});
  for (const Shape& shape :
       {Shape{9}, Shape{1, 9}, Shape{4, 1}, Shape{4, 9}, Shape{1}, Shape{}, Shape{1, 1}}) {
    for (const bool constant : {false, true}) {
      SCOPED_TRACE(shape.text());
      const Tensor c = noise(shape, 3);
      const NodeCase made{.node = {.op = "Gemm", .post_ops = {{.op = "Tanh"}}},
                          .inputs = {{a}, {b, true}, {c, constant}},
                          .output = {4, 9}};
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      std::vector<double> expected =
          reference_binary(c, *Tensor::zeros(ElementType::kFloat32, {4, 9}), {4, 9},
                           [](double x, double y) { return x + y; });
      for (size_t i = 0; i < expected.size(); ++i)
        expected[i] = std::tanh(expected[i] + product[i]);
      EXPECT_TRUE(near(result->output, expected));
    }
  }
}

TEST(Product, products_take_residuals_in_place_or_beside) {
  const Tensor a = noise({2, 3, 8}, 1);
  const Tensor b = noise({8, 5}, 2);
  const Tensor residual = noise({2, 3, 5}, 3);
  for (const bool in_place : {false, true}) {
    const NodeCase made{
        .node = {.op = "MatMul", .post_ops = {{.op = "Add", .operand = 2}, {.op = "Relu"}}},
        .inputs = {{a}, {b, true}, {residual}},
        .output = {2, 3, 5},
        .overwrite_operand = in_place ? std::optional<size_t>(2) : std::nullopt};
    const auto result = run_case(made);
    ASSERT_TRUE(result) << result.error().text;
    EXPECT_EQ(result->needs.overwrites.has_value(), in_place);
    auto expected = reference_matmul(a, b, {2, 3, 5});
    for (size_t i = 0; i < expected.size(); ++i)
      expected[i] = std::max(0.0, expected[i] + residual.values<float>()[i]);
    EXPECT_TRUE(near(result->output, expected));
  }
}

// Many rows by constants: a row, a residual and an activation behind it, over several blocks.
TEST(Product, rows_by_constants_take_all_that_follows_them) {
  const Tensor a = noise({300, 96}, 1);
  const Tensor b = noise({96, 100}, 2);
  const Tensor row = noise({100}, 3);
  const Tensor residual = noise({300, 100}, 4);
  const auto product = reference_matmul(a, b, {300, 100});
  for (const int threads : {1, 2}) {
    for (const char* activation : {"Gelu", "Tanh", "Relu"}) {
      NodeCase made{.node = {.op = "Gemm", .post_ops = {{.op = "Add", .operand = 3}}},
                    .inputs = {{a}, {b, true}, {row, true}, {residual}},
                    .output = {300, 100}};
      made.node.post_ops.push_back({.op = activation});
      set_threads(threads);
      const auto result = run_case(made);
      set_threads(1);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_TRUE(result->needs.implementation.starts_with("gemm rows"));
      std::vector<double> expected = product;
      for (size_t i = 0; i < expected.size(); ++i) {
        const double x = expected[i] + row.values<float>()[i % 100] + residual.values<float>()[i];
        expected[i] = activation[0] == 'G'   ? x * (1 + std::erf(x / std::sqrt(2.0))) / 2
                      : activation[0] == 'T' ? std::tanh(x)
                                             : std::max(x, 0.0);
      }
      EXPECT_TRUE(near(result->output, expected));
    }
  }
}

TEST(Product, gemm_reads_an_image_in_any_layout) {
  for (const Shape& image :
       {Shape{2, 16, 4, 4}, Shape{1, 32, 5, 5}, Shape{3, 5, 3, 2}, Shape{2, 6, 7}}) {
    const int64_t flat_size = static_cast<int64_t>(*image.element_count()) / image[0];
    const Tensor x = noise(image, 1);
    const Tensor weights = noise({flat_size, 10}, 2);
    const Tensor bias = noise({10}, 3);
    for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked16}) {
      for (const bool right : {false, true}) {
        SCOPED_TRACE(image.text() + " " + std::string(name_of(layout)));
        const NodeCase made{
            .node = {.op = "Gemm", .attributes = {{"transB", int64_t{right}}}},
            .inputs = {{x}, {right ? transposed(weights) : weights, true}, {bias, true}},
            .output = {image[0], 10},
            .given = layout};
        const auto result = run_case(made);
        ASSERT_TRUE(result) << result.error().text;
        auto expected =
            reference_matmul(x.reshaped({image[0], flat_size}), weights, {image[0], 10});
        for (size_t i = 0; i < expected.size(); ++i) expected[i] += bias.values<float>()[i % 10];
        EXPECT_TRUE(near(result->output, expected));
      }
    }
  }
}

}  // namespace
}  // namespace casemate::engine
