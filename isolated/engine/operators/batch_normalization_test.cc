// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

Tensor vector_of(std::initializer_list<float> values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

// Two items of two channels of two places; scale, bias, mean and variance.
std::vector<Datum> inputs() {
  return {Tensor::of<float>({2, 2, 2}, {1, 2, 10, 20, 3, 4, 30, 40}), vector_of({1, 2}),
          vector_of({0, 1}), vector_of({1, 20}), vector_of({4, 100})};
}

const Attributes kExact = {{"epsilon", 0.0F}};

TEST(BatchNormalization, given_statistics_are_used) {
  const auto y = run_node({"BatchNormalization", kExact, inputs()});
  expect_near(y, {0, 0.5, -1, 1, 1, 1.5, 3, 5});
  for (const int since : {9, 14})
    expect_near(
        run_node(
            {.op = "BatchNormalization", .attributes = kExact, .inputs = inputs(), .since = since}),
        {0, 0.5, -1, 1, 1, 1.5, 3, 5});
}

TEST(BatchNormalization, training_takes_those_of_the_batch_and_mixes_them_in) {
  Attributes attributes = kExact;
  attributes.set("training_mode", int64_t{1});
  attributes.set("momentum", 0.5F);
  const auto y = run_node({.op = "BatchNormalization",
                           .attributes = attributes,
                           .inputs = inputs(),
                           .output_count = 3});
  // Channel 0 holds 1 to 4: mean 2.5, variance 1.25. Channel 1 ten times that.
  const double a = 1.5 / std::sqrt(1.25);
  const double b = 0.5 / std::sqrt(1.25);
  expect_near(y, {-a, -b, 1 - 2 * a, 1 - 2 * b, b, a, 1 + 2 * b, 1 + 2 * a});
  expect_near(y, {1.75, 22.5}, 1e-6, 1);
  expect_near(y, {2.625, 112.5}, 1e-5, 2);
}

TEST(BatchNormalization, older_versions_train_when_they_are_not_tested) {
  Attributes attributes = kExact;
  attributes.set("is_test", int64_t{0});
  attributes.set("momentum", 0.5F);
  const auto y = run_node({.op = "BatchNormalization",
                           .attributes = attributes,
                           .inputs = inputs(),
                           .output_count = 5,
                           .since = 6});
  expect_near(y, {1.75, 22.5}, 1e-6, 1);
  expect_near(y, {2.5, 25}, 1e-6, 3);
  expect_near(y, {1.25, 125}, 1e-5, 4);
  attributes.set("is_test", int64_t{1});
  const NodeRun test{
      .op = "BatchNormalization", .attributes = attributes, .inputs = inputs(), .since = 1};
  expect_near(run_node(test), {0, 0.5, -1, 1, 1, 1.5, 3, 5});
  // From 7 to 13 who asks for the statistics trains.
  const auto nine = run_node({.op = "BatchNormalization",
                              .attributes = attributes,
                              .inputs = inputs(),
                              .output_count = 5,
                              .since = 9});
  expect_near(nine, {2.5, 25}, 1e-6, 3);
}

TEST(BatchNormalization, every_element_could_once_have_its_own_statistics) {
  Attributes attributes = kExact;
  attributes.set("spatial", int64_t{0});
  std::vector<Datum> own = {Tensor::of<float>({2, 1, 2}, {1, 2, 3, 4})};
  own.emplace_back(Tensor::of<float>({1, 2}, {1, 10}));
  own.emplace_back(Tensor::of<float>({1, 2}, {0, 1}));
  own.emplace_back(Tensor::of<float>({1, 2}, {1, 2}));
  own.emplace_back(Tensor::of<float>({1, 2}, {1, 4}));
  expect_near(
      run_node({.op = "BatchNormalization", .attributes = attributes, .inputs = own, .since = 7}),
      {0, 1, 2, 11});
  EXPECT_EQ(error_of(run_node({"BatchNormalization", attributes, own})),
            "its scale has shape [1,2], [1] is what X of [2,1,2] needs");
}

TEST(BatchNormalization, a_vector_is_a_batch_of_one_channel) {
  const std::vector<Datum> all = {vector_of({1, 3}), vector_of({2}), vector_of({1}), vector_of({1}),
                                  vector_of({4})};
  expect_near(run_node({"BatchNormalization", kExact, all}), {1, 3});
}

TEST(BatchNormalization, each_input_may_have_its_own_type_of_float) {
  std::vector<Datum> mixed = inputs();
  mixed[0] = Tensor::of<Float16>({1, 2}, {Float16(1), Float16(20)});
  mixed[3] = Tensor::of<double>({2}, {0, 10});
  mixed[4] = Tensor::of<double>({2}, {1, 4});
  Attributes training = kExact;
  training.set("training_mode", int64_t{1});
  const auto y = run_node(
      {.op = "BatchNormalization", .attributes = training, .inputs = mixed, .output_count = 3});
  expect_near<double>(y, {0.1, 11}, 1e-6, 1);
  expect_near<Float16>(run_node({"BatchNormalization", kExact, mixed}), {1, 11});
}

TEST(BatchNormalization, a_batch_of_nothing_has_no_statistics) {
  std::vector<Datum> none = inputs();
  none[0] = Tensor::of<float>({int64_t{1} << 40, 2, 0}, {});
  Attributes training = kExact;
  training.set("training_mode", int64_t{1});
  const auto y = run_node(
      {.op = "BatchNormalization", .attributes = training, .inputs = none, .output_count = 3});
  expect_near(y, {NAN, NAN}, 0, 1);
  EXPECT_EQ(shape_made(y), (Shape{int64_t{1} << 40, 2, 0}));
}

TEST(BatchNormalization, what_does_not_fit_is_refused) {
  std::vector<Datum> bad = inputs();
  bad[4] = vector_of({1});
  EXPECT_EQ(error_of(run_node({"BatchNormalization", {}, bad})),
            "its variance has shape [1], [2] is what X of [2,2,2] needs");
  bad[4] = Datum();
  EXPECT_EQ(error_of(run_node({"BatchNormalization", {}, bad})),
            "its variance has shape [], [2] is what X of [2,2,2] needs");
  EXPECT_EQ(error_of(run_node(
                {.op = "BatchNormalization", .inputs = inputs(), .output_count = 2, .since = 15})),
            "its output 1 is asked for, and only training has one");
  bad = inputs();
  bad[3] = Tensor::of<int32_t>({2}, {1, 2});
  EXPECT_EQ(error_of(run_node({"BatchNormalization", {}, bad})),
            "it is not defined for tensors of INT32");
}

}  // namespace
}  // namespace casemate::engine
