// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/format.h"
#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

const std::pair<const std::string, Attribute> kSeed = {"seed", 0.0F};

Attribute shape(std::vector<int64_t> dims) { return dims; }

// numpy.random.RandomState(0).rand(2) and .randn(2).
TEST(Random, numbers_are_those_of_the_seed) {
  const auto uniform = run_node({"RandomUniform", {kSeed, {"shape", shape({1, 2})}}, {}});
  EXPECT_EQ(values_of<float>(uniform),
            (std::vector<float>{0.5488135F, static_cast<float>(0.7151893663724195)}));
  EXPECT_EQ((*uniform)[0].tensor()->shape(), (Shape{1, 2}));
  const Attributes range = {
      kSeed, {"shape", shape({2})}, {"low", 10.0F}, {"high", 20.0F}, {"dtype", int64_t{11}}};
  EXPECT_NEAR(values_of<double>(run_node({"RandomUniform", range, {}}))[1], 17.151893663724195,
              1e-12);
  const Attributes normal = {kSeed, {"shape", shape({2})}, {"mean", 5.0F}, {"scale", 2.0F}};
  const auto y = values_of<float>(run_node({"RandomNormal", normal, {}}));
  EXPECT_NEAR(y[0], 8.528105F, 1e-5);
  EXPECT_NEAR(y[1], 5.800314F, 1e-5);
}

TEST(Random, shape_and_type_may_be_those_of_a_tensor) {
  const Tensor like = Tensor::of<Float16>({2}, {Float16(0), Float16(0)});
  EXPECT_EQ(values_of<Float16>(run_node({"RandomUniformLike", {kSeed}, {like}}))[0],
            Float16(0.5488135F));
  const Tensor text = *Tensor::make({1}, std::vector<std::string>{"a"});
  const Attributes wide = {kSeed, {"dtype", int64_t{11}}};
  EXPECT_NEAR(values_of<double>(run_node({"RandomNormalLike", wide, {text}}))[0], 1.764052345967664,
              1e-15);
  EXPECT_EQ(error_of(run_node({"RandomNormalLike", {kSeed}, {text}})),
            "it is not defined for tensors of BYTES");
}

TEST(Random, shapes_and_types_may_be_any_numbers) {
  const auto refused = [](std::vector<int64_t> dims, int64_t type = 1) {
    return error_of(
        run_node({"RandomNormal", {{"shape", shape(std::move(dims))}, {"dtype", type}}, {}}));
  };
  EXPECT_EQ(refused({-1}), "shape [-1] has a negative extent");
  EXPECT_EQ(refused({1, 1, 1, 1, 1, 1, 1, 1, 1}), "a tensor of rank 9 is over the limit of 8");
  EXPECT_EQ(refused({1 << 30}), "more than a test may have");
  EXPECT_EQ(refused({INT64_MAX, 4}), "shape [9223372036854775807,4] has more than 2^62 elements");
  EXPECT_EQ(refused({1}, 6), "it is not defined for tensors of INT32");
  EXPECT_EQ(refused({1}, 99),
            "its attribute 'dtype' is 99, which is no element type that is supported");
}

TEST(Random, chances_decide_on_ones) {
  const Tensor chances = Tensor::of<double>({5}, {0.6, 0.6, -1, 2, std::nan("")});
  const auto y = run_node({"Bernoulli", {kSeed, {"dtype", int64_t{9}}}, {chances}});
  EXPECT_EQ(values_of<bool>(y), (std::vector<bool>{true, false, false, true, false}));
  const Tensor half = Tensor::of<float>({1000}, std::vector<float>(1000, 0.25F));
  const auto ones = values_of<float>(run_node({"Bernoulli", {}, {half}}));
  EXPECT_NEAR(static_cast<double>(std::ranges::count(ones, 1.0F)), 250, 50);
}

TEST(Random, outcomes_are_drawn_by_their_weights) {
  // Of weights 1, 3 and 0, and of 0, 0 and 1.
  const float never = -std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::of<float>({2, 3}, {0, std::log(3.0F), never, never, never, 1000});
  const auto y = run_node({"Multinomial", {{"sample_size", int64_t{1000}}}, {x}});
  EXPECT_EQ((*y)[0].tensor()->shape(), (Shape{2, 1000}));
  const auto drawn = values_of<int32_t>(y);
  EXPECT_NEAR(static_cast<double>(std::count(drawn.begin(), drawn.begin() + 1000, 1)), 750, 60);
  EXPECT_EQ(std::count(drawn.begin(), drawn.begin() + 1000, 2), 0);
  EXPECT_EQ(std::count(drawn.begin() + 1000, drawn.end(), 2), 1000);
}

TEST(Random, weights_may_be_no_numbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::of<float>({4, 2}, {nan, nan, infinity, 0, -infinity, nan, 0, infinity});
  const auto y = values_of<int64_t>(run_node({"Multinomial", {{"dtype", int64_t{7}}}, {x}}));
  EXPECT_EQ(y.size(), 4u);
  EXPECT_EQ(y[1], 0);
  EXPECT_EQ(y[2], 0);
  EXPECT_EQ(y[3], 1);
}

TEST(Random, outcomes_and_samples_are_there) {
  const Tensor x = Tensor::of<float>({2}, {1, 2});
  EXPECT_EQ(error_of(run_node({"Multinomial", {}, {x}})),
            "its input has the shape [2], it takes [batch, classes]");
  const Tensor none = Tensor::of<float>({1, 0}, {});
  EXPECT_EQ(error_of(run_node({"Multinomial", {}, {none}})),
            "its input has the shape [1,0], it takes [batch, classes]");
  for (const int64_t size : {int64_t{0}, INT64_MIN}) {
    EXPECT_EQ(error_of(run_node({"Multinomial", {{"sample_size", size}}, {none}})),
              formatted("its sample_size is {}, it takes 1 or more", size));
  }
  const Tensor empty = Tensor::of<float>({0, 3}, {});
  EXPECT_TRUE(values_of<int32_t>(run_node({"Multinomial", {}, {empty}})).empty());
  const Tensor one = Tensor::of<float>({1, 1}, {0});
  EXPECT_EQ(error_of(run_node({"Multinomial", {{"sample_size", INT64_MAX}}, {one}})),
            "shape [1,9223372036854775807] has more than 2^62 elements");
}

}  // namespace
}  // namespace casemate::engine
