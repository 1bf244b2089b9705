// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

// Two items, three classes, two places.
const Tensor& scores() {
  static const Tensor tensor = Tensor::of<float>({2, 3, 2}, {1, 2, 2, 2, 3, 2, 0, 1, 2, 2, 1, 2});
  return tensor;
}

const Tensor& targets() {
  static const Tensor tensor = Tensor::of<int64_t>({2, 2}, {2, 1, 0, 2});
  return tensor;
}

const Tensor& weights() {
  static const Tensor tensor = Tensor::of<float>({3}, {0.2F, 0.3F, 0.1F});
  return tensor;
}

Attributes reduction(const char* name) { return {{"reduction", std::string(name)}}; }

TEST(NegativeLogLikelihoodLoss, the_examples_of_the_specification_hold) {
  const char* op = "NegativeLogLikelihoodLoss";
  const auto none = run_node({op, reduction("none"), {scores(), targets()}});
  EXPECT_EQ(shape_made(none), (Shape{2, 2}));
  expect_near(none, {-3, -2, 0, -2});
  expect_near(run_node({op, reduction("sum"), {scores(), targets(), weights()}}), {-1.1});
  const auto mean = run_node({op, {}, {scores(), targets(), weights()}});
  expect_near(mean, {-1.1 / 0.7});
  EXPECT_EQ(shape_made(mean), Shape{});
  expect_near(run_node({op, {}, {scores(), targets()}}), {-7.0 / 4});
}

TEST(NegativeLogLikelihoodLoss, what_is_ignored_counts_for_nothing) {
  const Tensor odd = Tensor::of<int32_t>({2, 2}, {-7, 1, 0, 2});
  Attributes attributes = {{"ignore_index", int64_t{-7}}};
  expect_near(run_node({"NegativeLogLikelihoodLoss", attributes, {scores(), odd}}), {-4.0 / 3});
  expect_near(run_node({"NegativeLogLikelihoodLoss", attributes, {scores(), odd, weights()}}),
              {-0.8 / 0.6});
  attributes.set("reduction", std::string("none"));
  expect_near(run_node({"NegativeLogLikelihoodLoss", attributes, {scores(), odd}}), {0, -2, 0, -2});
}

TEST(NegativeLogLikelihoodLoss, targets_that_are_no_classes_are_refused) {
  for (const int64_t bad : {int64_t{3}, int64_t{-1}, int64_t{1} << 40}) {
    const Tensor odd = Tensor::of<int64_t>({2, 2}, {0, 1, bad, 2});
    EXPECT_EQ(error_of(run_node({"NegativeLogLikelihoodLoss", {}, {scores(), odd}})),
              "its target " + std::to_string(bad) + " is none of 3 classes");
  }
}

TEST(NegativeLogLikelihoodLoss, what_does_not_fit_is_refused) {
  const char* op = "NegativeLogLikelihoodLoss";
  EXPECT_EQ(error_of(run_node({op, {}, {scores(), Tensor::of<int64_t>({2}, {0, 0})}})),
            "its scores have shape [2,3,2] and its targets [2], which is not that without the "
            "classes");
  EXPECT_EQ(error_of(run_node({op, {}, {scores(), targets(), counting({2})}})),
            "its weights have shape [2], there are 3 classes");
  EXPECT_EQ(error_of(run_node({op, reduction("all"), {scores(), targets()}})),
            "its reduction is neither \"none\" nor \"sum\" nor \"mean\"");
  EXPECT_EQ(error_of(run_node({op, {}, {scores(), counting({2, 2})}})),
            "its input 1 is a tensor of FP32, it takes one of INT64");
  EXPECT_EQ(error_of(run_node({op, {}, {counting({2}), targets()}})),
            "axis 1 is none of a tensor of rank 1");
}

TEST(NegativeLogLikelihoodLoss, losses_of_nothing_have_no_mean) {
  const Tensor none = Tensor::of<float>({0, 3}, {});
  const Tensor no_targets = Tensor::of<int64_t>({0}, {});
  expect_near(run_node({"NegativeLogLikelihoodLoss", {}, {none, no_targets}}), {NAN});
  expect_near(run_node({"NegativeLogLikelihoodLoss", reduction("sum"), {none, no_targets}}), {0});
}

TEST(SoftmaxCrossEntropyLoss, scores_are_turned_into_probabilities_first) {
  const Tensor x = Tensor::of<float>({2, 3}, {1, 2, 3, 3, 3, 3});
  const Tensor labels = Tensor::of<int64_t>({2}, {2, 0});
  const NodeRun run{.op = "SoftmaxCrossEntropyLoss", .inputs = {x, labels}, .output_count = 2};
  const auto y = run_node(run);
  const double third = std::log(3);
  expect_near(y, {(0.4076060 + third) / 2});
  expect_near(y, {-2.4076060, -1.4076060, -0.4076060, -third, -third, -third}, 1e-6, 1);
  expect_near(run_node({"SoftmaxCrossEntropyLoss", reduction("none"), {x, labels}}),
              {0.4076060, third});
  expect_near(run_node({"SoftmaxCrossEntropyLoss", {}, {x, labels, weights()}}),
              {(0.4076060 * 0.1 + third * 0.2) / 0.3});
}

TEST(SoftmaxCrossEntropyLoss, places_and_ignored_labels_are_as_with_likelihoods) {
  const Tensor x = Tensor::of<float>({1, 3, 2}, {1, 0, 2, 0, 3, 0});
  const Tensor labels = Tensor::of<int64_t>({1, 2}, {2, 5});
  const Attributes ignoring = {{"ignore_index", int64_t{5}}};
  expect_near(run_node({"SoftmaxCrossEntropyLoss", ignoring, {x, labels}}), {0.4076060});
  EXPECT_EQ(error_of(run_node({"SoftmaxCrossEntropyLoss", {}, {x, labels}})),
            "its target 5 is none of 3 classes");
}

TEST(SoftmaxCrossEntropyLoss, without_classes_there_is_nothing_but_what_is_ignored) {
  const Tensor x = Tensor::of<float>({2, 0}, {});
  const Tensor labels = Tensor::of<int64_t>({2}, {9, 9});
  Attributes attributes = reduction("sum");
  EXPECT_EQ(error_of(run_node({"SoftmaxCrossEntropyLoss", attributes, {x, labels}})),
            "its target 9 is none of 0 classes");
  attributes.set("ignore_index", int64_t{9});
  expect_near(run_node({"SoftmaxCrossEntropyLoss", attributes, {x, labels}}), {0});
}

}  // namespace
}  // namespace casemate::engine
