// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

const std::string kDomain = "ai.onnx.preview.training:";

Tensor one(float value) { return Tensor::of<float>({1}, {value}); }
Tensor count(int64_t value) { return Tensor::of<int64_t>({}, {value}); }

TEST(Adagrad, the_rate_falls_with_what_was_accumulated) {
  const Attributes attributes = {
      {"norm_coefficient", 0.001F}, {"epsilon", 1e-5F}, {"decay_factor", 0.1F}};
  // The example of the specification.
  const auto y =
      run_node({.op = kDomain + "Adagrad",
                .attributes = attributes,
                .inputs = {Tensor::of<float>({}, {0.1F}), count(0), one(1), one(-1), one(2)},
                .output_count = 2});
  const double gradient = -1 + 0.001;
  const double squares = 2 + gradient * gradient;
  expect_near(y, {1 - 0.1 * gradient / (std::sqrt(squares) + 1e-5)});
  expect_near(y, {squares}, 1e-6, 1);
}

TEST(Adam, averages_are_corrected_from_the_first_step_on) {
  const Attributes attributes = {
      {"alpha", 0.5F}, {"beta", 0.75F}, {"epsilon", 0.0F}, {"norm_coefficient_post", 0.5F}};
  const auto step = [&](int64_t steps) {
    return run_node({.op = kDomain + "Adam",
                     .attributes = attributes,
                     .inputs = {one(0.1F), count(steps), one(1), one(2), one(0), one(0)},
                     .output_count = 3});
  };
  // v = 1, h = 1; at step 0 nothing is corrected, at step 1 v is divided by 1/2 and h by 1/4.
  expect_near(step(0), {0.5 * (1 - 0.1)});
  expect_near(step(1), {0.5 * (1 - 0.1 * 0.5 / 0.5)});
  expect_near(step(1), {1}, 1e-6, 1);
  expect_near(step(1), {1}, 1e-6, 2);
}

TEST(Momentum, both_modes_follow_the_gradient_and_what_came_before) {
  Attributes attributes = {{"alpha", 0.5F},
                           {"beta", 0.25F},
                           {"norm_coefficient", 1.0F},
                           {"mode", std::string("standard")}};
  const auto step = [&](int64_t steps) {
    return run_node({.op = kDomain + "Momentum",
                     .attributes = attributes,
                     .inputs = {one(0.1F), count(steps), one(1), one(3), one(8)},
                     .output_count = 2});
  };
  expect_near(step(0), {1 - 0.1 * 8});  // 0.5 * 8 + (1 + 3)
  expect_near(step(0), {8}, 1e-6, 1);
  expect_near(step(1), {1 - 0.1 * 5});  // 0.5 * 8 + 0.25 * (1 + 3)
  attributes.set("mode", std::string("nesterov"));
  expect_near(step(1), {1 - 0.1 * (4 + 0.5 * 5)});
  attributes.set("mode", std::string("other"));
  EXPECT_EQ(error_of(step(1)), "its mode is neither \"standard\" nor \"nesterov\"");
}

TEST(Momentum, tensors_of_one_node_may_differ_in_shape_and_type) {
  const Attributes attributes = {{"alpha", 0.0F},
                                 {"beta", 1.0F},
                                 {"norm_coefficient", 0.0F},
                                 {"mode", std::string("standard")}};
  const Tensor wide = Tensor::of<double>({2}, {1, 2});
  const auto y =
      run_node({.op = kDomain + "Momentum",
                .attributes = attributes,
                .inputs = {one(1), count(1), one(1), wide, one(0.5F), wide, one(0), wide},
                .output_count = 4});
  expect_near(y, {0.5}, 1e-6, 0);
  expect_near<double>(y, {0, 0}, 1e-12, 1);
  expect_near(y, {0.5}, 1e-6, 2);
  expect_near<double>(y, {1, 2}, 1e-12, 3);
}

TEST(Optimisers, nodes_whose_tensors_do_not_fit_are_refused) {
  const auto adagrad = [&](std::vector<Datum> inputs, size_t outputs) {
    return error_of(run_node(
        {.op = kDomain + "Adagrad", .inputs = std::move(inputs), .output_count = outputs}));
  };
  EXPECT_EQ(adagrad({one(1), count(0), one(1), one(1)}, 2),
            "it has 4 inputs and 2 outputs, for each tensor it takes 3 behind the first two, and "
            "gives 2");
  EXPECT_EQ(adagrad({one(1), count(0), one(1), one(1), one(1)}, 1),
            "it has 5 inputs and 1 outputs, for each tensor it takes 3 behind the first two, and "
            "gives 2");
  EXPECT_EQ(adagrad({one(1), count(0), one(1), counting({2}), one(1)}, 2),
            "its input 3 is FP32 of [2], the tensor it belongs to FP32 of [1]");
  EXPECT_EQ(adagrad({counting({2}), count(0), one(1), one(1), one(1)}, 2),
            "it has 2 rates, it takes one");
  EXPECT_EQ(adagrad({one(1), one(0), one(1), one(1), one(1)}, 2),
            "its input 1 is a tensor of FP32, it takes one of INT64");
  const Tensor whole = counting<int32_t>({1});
  EXPECT_EQ(adagrad({one(1), count(0), whole, whole, whole}, 2),
            "it is not defined for tensors of INT32");
}

}  // namespace
}  // namespace casemate::engine
