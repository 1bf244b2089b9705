// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

const std::vector<double> kNormal = {-1.3416354, -0.4472118, 0.4472118,
                                     1.3416354};  // of 1, 2, 3, 4

Tensor vector_of(std::initializer_list<float> values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

TEST(LayerNormalization, rows_are_normalized_scaled_and_shifted) {
  const Tensor x = Tensor::of<float>({1, 4}, {1, 2, 3, 4});
  const auto y = run_node({.op = "LayerNormalization",
                           .inputs = {x, vector_of({1, 1, 2, 1}), vector_of({0, 0, 0, 10})},
                           .output_count = 3});
  expect_near(y, {kNormal[0], kNormal[1], 2 * kNormal[2], 10 + kNormal[3]});
  expect_near(y, {2.5}, 1e-6, 1);
  expect_near(y, {0.8944236}, 1e-6, 2);
  EXPECT_EQ(shape_made(y, 1), (Shape{1, 1}));
}

TEST(LayerNormalization, all_behind_the_axis_belongs_together) {
  const Tensor x = Tensor::of<float>({2, 2, 2}, {1, 2, 3, 4, 4, 3, 2, 1});
  const Tensor scale = Tensor::of<float>({2, 1}, {1, 2});  // broadcast to [2,2,2]
  const auto y = run_node({.op = "LayerNormalization",
                           .attributes = {{"axis", int64_t{1}}},
                           .inputs = {x, scale},
                           .output_count = 2});
  expect_near(y, {kNormal[0], kNormal[1], 2 * kNormal[2], 2 * kNormal[3], kNormal[3], kNormal[2],
                  2 * kNormal[1], 2 * kNormal[0]});
  EXPECT_EQ(shape_made(y, 1), (Shape{2, 1, 1}));
}

TEST(LayerNormalization, a_large_mean_does_not_swallow_the_variance) {
  const Tensor x = Tensor::of<float>({4}, {100001, 100002, 100003, 100004});
  expect_near(run_node({"LayerNormalization", {}, {x, vector_of({1})}}), kNormal, 1e-5);
}

TEST(LayerNormalization, statistics_have_the_type_that_is_asked_for) {
  const Tensor x = Tensor::of<Float16>({2}, {Float16(1), Float16(3)});
  const Tensor scale = Tensor::of<Float16>({1}, {Float16(1)});
  const auto run = [&](int64_t type) {
    return run_node({.op = "LayerNormalization",
                     .attributes = {{"stash_type", type}},
                     .inputs = {x, scale},
                     .output_count = 2});
  };
  expect_near<float>(run(1), {2}, 0, 1);
  expect_near<Bfloat16>(run(16), {2}, 0, 1);
  EXPECT_EQ(error_of(run(7)), "its stash_type is 7, it takes 1 or 16");
}

TEST(LayerNormalization, rows_of_nothing_have_no_statistics) {
  const Tensor x = Tensor::of<float>({2, 0}, {});
  const auto y = run_node(
      {.op = "LayerNormalization", .inputs = {x, Tensor::of<float>({0}, {})}, .output_count = 3});
  expect_near(y, {});
  expect_near(y, {NAN, NAN}, 0, 1);
  expect_near(y, {NAN, NAN}, 0, 2);
}

TEST(LayerNormalization, what_does_not_broadcast_is_refused) {
  const Tensor x = counting({2, 4});
  EXPECT_EQ(error_of(run_node({"LayerNormalization", {}, {x, vector_of({1, 2})}})),
            "its input 1 of shape [2] does not broadcast to [2,4]");
  EXPECT_EQ(error_of(run_node({"LayerNormalization", {{"axis", int64_t{2}}}, {x, x}})),
            "axis 2 is none of a tensor of rank 2");
  EXPECT_EQ(error_of(run_node({"LayerNormalization", {}, {x, counting<double>({4})}})),
            "its input 1 is a tensor of FP64, it takes one of FP32");
}

TEST(InstanceNormalization, each_channel_of_each_item_is_normalized) {
  const Tensor x = Tensor::of<float>({1, 2, 4}, {1, 2, 3, 4, 40, 30, 20, 10});
  const auto y = run_node({"InstanceNormalization", {}, {x, vector_of({1, 2}), vector_of({0, 5})}});
  expect_near(y,
              {kNormal[0], kNormal[1], kNormal[2], kNormal[3], 5 + 2 * 1.3416407, 5 + 2 * 0.4472136,
               5 - 2 * 0.4472136, 5 - 2 * 1.3416407},
              1e-5);
}

TEST(InstanceNormalization, no_channels_are_left_as_they_are) {
  const Tensor none = Tensor::of<float>({0}, {});
  const Tensor x = Tensor::of<float>({2, 0, 3}, {});
  EXPECT_EQ(shape_made(run_node({"InstanceNormalization", {}, {x, none, none}})), (Shape{2, 0, 3}));
  EXPECT_EQ(error_of(run_node({"InstanceNormalization", {}, {counting({2, 3}), none, none}})),
            "its input 1 has shape [0], there are 3 channels");
  EXPECT_EQ(error_of(run_node({"InstanceNormalization", {}, {counting({2}), none, none}})),
            "axis 1 is none of a tensor of rank 1");
}

TEST(GroupNormalization, scales_are_those_of_channels_and_once_were_those_of_groups) {
  const Tensor x = Tensor::of<float>({1, 4, 2}, {1, 2, 3, 4, 4, 3, 2, 1});
  const Attributes two = {{"num_groups", int64_t{2}}};
  const std::vector<Datum> channels = {x, vector_of({1, 2, 3, 4}), vector_of({0, 0, 0, 1})};
  expect_near(run_node({"GroupNormalization", two, channels}),
              {kNormal[0], kNormal[1], 2 * kNormal[2], 2 * kNormal[3], 3 * kNormal[3],
               3 * kNormal[2], 1 + 4 * kNormal[1], 1 + 4 * kNormal[0]},
              1e-5);
  const std::vector<Datum> groups = {x, vector_of({1, 2}), vector_of({0, 1})};
  expect_near(
      run_node({.op = "GroupNormalization", .attributes = two, .inputs = groups, .since = 18}),
      {kNormal[0], kNormal[1], kNormal[2], kNormal[3], 1 + 2 * kNormal[3], 1 + 2 * kNormal[2],
       1 + 2 * kNormal[1], 1 + 2 * kNormal[0]},
      1e-5);
}

TEST(GroupNormalization, groups_that_do_not_divide_are_refused) {
  const Tensor x = counting({1, 4, 2});
  const Tensor four = vector_of({1, 1, 1, 1});
  const auto run = [&](int64_t groups) {
    return error_of(run_node({"GroupNormalization", {{"num_groups", groups}}, {x, four, four}}));
  };
  EXPECT_EQ(run(3), "4 channels do not fall into 3 groups");
  EXPECT_EQ(run(0), "4 channels do not fall into 0 groups");
  EXPECT_EQ(run(-1), "4 channels do not fall into -1 groups");
  EXPECT_EQ(run(8), "4 channels do not fall into 8 groups");
}

TEST(MeanVarianceNormalization, statistics_are_taken_over_the_axes) {
  const Tensor x = Tensor::of<float>({2, 2, 1, 2}, {1, 10, 2, 20, 3, 30, 4, 40});
  const auto y = run_node({"MeanVarianceNormalization", {}, {x}});
  // Channel 0 holds 1, 10, 3 and 30.
  const double mean = 11;
  const double deviation = std::sqrt((100 + 1 + 64 + 361) / 4.0);
  const auto values = values_of<float>(y);
  EXPECT_NEAR(values[0], (1 - mean) / deviation, 1e-6);
  EXPECT_NEAR(values[1], (10 - mean) / deviation, 1e-6);
  EXPECT_NEAR(values[4], (3 - mean) / deviation, 1e-6);
  const Attributes columns = {{"axes", std::vector<int64_t>{0}}};
  expect_near(
      run_node({"MeanVarianceNormalization", columns, {Tensor::of<float>({2, 2}, {1, 5, 3, 9})}}),
      {-1, -1, 1, 1});
}

TEST(MeanVarianceNormalization, axes_that_are_none_are_refused) {
  EXPECT_EQ(error_of(run_node({"MeanVarianceNormalization", {}, {counting({2, 2, 2})}})),
            "axis 3 is none of a tensor of rank 3");
  const Attributes none = {{"axes", std::vector<int64_t>{}}};
  expect_near(run_node({"MeanVarianceNormalization", none, {Tensor::of<float>({}, {7})}}), {0});
}

}  // namespace
}  // namespace casemate::engine
