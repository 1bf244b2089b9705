// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

TEST(Softmax, probabilities_sum_to_one_along_the_axis) {
  const Tensor x = Tensor::of<float>({1, 3}, {1, 2, 3});
  expect_near(run_node({"Softmax", {}, {x}}), {0.0900306, 0.2447285, 0.6652410});
  expect_near(run_node({"LogSoftmax", {}, {x}}), {-2.4076060, -1.4076060, -0.4076060});
  expect_near(run_node({"Hardmax", {}, {x}}), {0, 0, 1});
}

TEST(Softmax, the_axis_may_lie_in_the_middle) {
  const Tensor x = Tensor::of<float>({2, 3, 2}, {1, 5, 2, 5, 3, 5, 1, 3, 2, 2, 3, 1});
  const Attributes middle = {{"axis", int64_t{1}}};
  const double a = 0.0900306;
  const double b = 0.2447285;
  const double c = 0.6652410;
  const double third = 1.0 / 3;
  expect_near(run_node({"Softmax", middle, {x}}), {a, third, b, third, c, third, a, c, b, b, c, a});
  expect_near(run_node({"Hardmax", middle, {x}}), {0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0});
}

TEST(Softmax, before_version_13_the_axes_behind_are_taken_for_one) {
  const Tensor x = counting({1, 2, 2});
  const auto y = run_node({.op = "Softmax", .inputs = {x}, .since = 11});
  expect_near(y, {0.0320586, 0.0871443, 0.2368828, 0.6439143});
  const Attributes behind = {{"axis", int64_t{3}}};
  expect_near(run_node({.op = "Softmax", .attributes = behind, .inputs = {x}, .since = 1}),
              {1, 1, 1, 1});
  EXPECT_EQ(error_of(run_node({.op = "Softmax", .attributes = behind, .inputs = {x}, .since = 11})),
            "axis 3 is none of a tensor of rank 3");
}

TEST(Softmax, large_scores_do_not_overflow) {
  const Tensor x = Tensor::of<float>({3}, {10000, 10001, -10000});
  expect_near(run_node({"Softmax", {}, {x}}), {0.2689414, 0.7310586, 0});
  expect_near(run_node({"LogSoftmax", {}, {x}}), {-1.3132617, -0.3132617, -20001.3132617}, 1e-2);
}

TEST(Softmax, sixteen_bit_floats_are_rounded_once) {
  const Tensor x = Tensor::of<Float16>({2}, {Float16(0), Float16(0)});
  expect_near<Float16>(run_node({"Softmax", {}, {x}}), {0.5, 0.5}, 0);
  const Tensor z = Tensor::of<Bfloat16>({2}, {Bfloat16(0.0F), Bfloat16(0.0F)});
  expect_near<Bfloat16>(run_node({"LogSoftmax", {}, {z}}), {-0.6914, -0.6914}, 1e-3);
}

TEST(Softmax, many_columns_are_as_good_as_one) {
  const Tensor x = counting<double>({2, 150});
  const auto y = values_of<double>(run_node({"Softmax", {{"axis", int64_t{0}}}, {x}}));
  for (size_t i = 0; i < 150; ++i) ASSERT_NEAR(y[i] + y[i + 150], 1, 1e-12) << i;
}

TEST(Softmax, what_is_no_number_makes_all_of_its_row_none) {
  const Tensor x = Tensor::of<float>({2, 2}, {NAN, 1, 1, 1});
  expect_near(run_node({"Softmax", {}, {x}}), {NAN, NAN, 0.5, 0.5});
  expect_near(run_node({"LogSoftmax", {}, {x}}), {NAN, NAN, -0.6931472, -0.6931472});
  expect_near(run_node({"Hardmax", {}, {x}}), {1, 0, 1, 0});
}

TEST(Softmax, nothing_stays_nothing_and_scalars_are_refused) {
  EXPECT_EQ(shape_made(run_node({"Softmax", {}, {Tensor::of<float>({2, 0}, {})}})), (Shape{2, 0}));
  EXPECT_EQ(error_of(run_node({"Softmax", {}, {Tensor::of<float>({}, {1})}})),
            "axis -1 is none of a tensor of rank 0");
  EXPECT_EQ(error_of(run_node({"Softmax", {}, {counting<int32_t>({2})}})),
            "it is not defined for tensors of INT32");
}

}  // namespace
}  // namespace casemate::engine
