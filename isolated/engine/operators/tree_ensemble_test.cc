// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Floats32 = std::vector<float>;
using Numbers64 = std::vector<int64_t>;

Tensor floats(Floats32 values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

// x0 <= 3 ? (x0 <= 1 ? leaf 0 : leaf 1) : leaf 2, and a tree of one node: x1 > 0 ? leaf 3 : leaf 0.
Attributes trees() {
  return {{"n_targets", int64_t{2}},
          {"nodes_modes", Tensor::of<uint8_t>({3}, {0, 0, 3})},
          {"nodes_splits", floats({3, 1, 0})},
          {"nodes_featureids", Numbers64{0, 0, 1}},
          {"nodes_trueleafs", Numbers64{0, 1, 1}},
          {"nodes_truenodeids", Numbers64{1, 0, 3}},
          {"nodes_falseleafs", Numbers64{1, 1, 1}},
          {"nodes_falsenodeids", Numbers64{2, 1, 0}},
          {"leaf_weights", floats({1, 2, 4, 8})},
          {"leaf_targetids", Numbers64{0, 0, 1, 1}},
          {"tree_roots", Numbers64{0, 2}}};
}

const Tensor kRows = Tensor::of<float>({3, 2}, {0, 0, 2, 1, 5, 1});

Floats32 scores(const Attributes& attributes, const Tensor& x = kRows) {
  return values_of<float>(run_node({"ai.onnx.ml:TreeEnsemble", attributes, {x}}));
}

Attributes with(std::string_view name, Attribute value, Attributes attributes = trees()) {
  attributes.set(name, std::move(value));
  return attributes;
}

TEST(TreeEnsemble, gathers_what_its_trees_say) {
  EXPECT_EQ(scores(trees()), (Floats32{2, 0, 2, 8, 0, 12}));
  EXPECT_EQ(scores(with("aggregate_function", int64_t{0})), (Floats32{1, 0, 1, 4, 0, 6}));
  const auto greatest = scores(with("aggregate_function", int64_t{3}));
  EXPECT_EQ(greatest[0], 1);
  EXPECT_EQ(greatest[5], 8);
  EXPECT_EQ(scores(with("aggregate_function", int64_t{2}))[5], 4);
}

TEST(TreeEnsemble, missing_features_take_the_branch_they_are_told) {
  const Tensor missing = Tensor::of<float>({1, 2}, {NAN, 0});
  EXPECT_EQ(scores(trees(), missing), (Floats32{1, 4}));
  const auto tracked = with("nodes_missing_value_tracks_true", Numbers64{1, 0, 0});
  EXPECT_EQ(scores(tracked, missing), (Floats32{3, 0}));
}

TEST(TreeEnsemble, tests_for_members_in_the_order_of_its_nodes) {
  auto members = with("nodes_modes", Tensor::of<uint8_t>({3}, {6, 0, 6}));
  members.set("membership_values", floats({2, 0, NAN, 7, NAN}));
  EXPECT_EQ(scores(members), (Floats32{2, 0, 3, 0, 1, 4}));
  EXPECT_EQ(error_of(run_node({"ai.onnx.ml:TreeEnsemble",
                               with("membership_values", floats({2, NAN, 7}), members),
                               {kRows}})),
            "attribute 'membership_values' has fewer sets than there are nodes that test for one");
  EXPECT_EQ(error_of(run_node({"ai.onnx.ml:TreeEnsemble",
                               with("membership_values", floats({2, NAN, 7, NAN, 1}), members),
                               {kRows}})),
            "attribute 'membership_values' has more sets than there are nodes that test for one");
}

TEST(TreeEnsemble, transforms_what_it_gathered) {
  const auto after = [](int64_t transform) { return scores(with("post_transform", transform)); };
  EXPECT_FLOAT_EQ(after(1)[0], std::exp(2.0F) / (std::exp(2.0F) + 1));
  EXPECT_FLOAT_EQ(after(2)[1], 0.5F);
  EXPECT_EQ(after(3)[1], 0);
  EXPECT_EQ(after(3)[0], 1);
  auto halves = with("leaf_weights", floats({0.25F, 0.75F, 0.5F, 0.5F}));
  halves.set("post_transform", int64_t{4});
  EXPECT_FLOAT_EQ(scores(halves)[2], 0.67448975F);
  EXPECT_EQ(scores(halves)[1], -INFINITY);
}

TEST(TreeEnsemble, takes_short_and_long_floats) {
  Attributes doubles = trees();
  doubles.set("nodes_splits", Tensor::of<double>({3}, {3, 1, 0}));
  doubles.set("leaf_weights", Tensor::of<double>({4}, {1, 2, 4, 8}));
  const Tensor x = Tensor::of<double>({1, 2}, {2, 1});
  EXPECT_EQ(values_of<double>(run_node({"ai.onnx.ml:TreeEnsemble", doubles, {x}})),
            (std::vector<double>{2, 8}));
  EXPECT_EQ(error_of(run_node({"ai.onnx.ml:TreeEnsemble", trees(), {x}})),
            "attribute 'leaf_weights' is a tensor of FP32, expected FP64");
}

TEST(TreeEnsemble, trees_that_are_none_are_refused) {
  const auto error = [](std::string_view name, Attribute value) {
    return error_of(run_node({"ai.onnx.ml:TreeEnsemble", with(name, std::move(value)), {kRows}}));
  };
  EXPECT_EQ(error("nodes_truenodeids", Numbers64{0, 0, 3}), "two ways lead to its node 0");
  EXPECT_EQ(error("tree_roots", Numbers64{0, 0}), "two ways lead to its node 0");
  EXPECT_EQ(error("tree_roots", Numbers64{0, 1}), "two ways lead to its node 1");
  EXPECT_EQ(error("tree_roots", Numbers64{0, INT64_MAX}),
            "its node 9223372036854775807 does not exist");
  EXPECT_EQ(error("tree_roots", Numbers64{-1}), "attribute 'tree_roots' has the value -1");
  EXPECT_EQ(error("nodes_truenodeids", Numbers64{3, 0, 3}), "its node 3 does not exist");
  EXPECT_EQ(error("nodes_truenodeids", Numbers64{1, 0, 4}),
            "attribute 'nodes_truenodeids' has the value 4, expected 0 to 3");
  EXPECT_EQ(error("nodes_featureids", Numbers64{0, 0, 2}),
            "attribute 'nodes_featureids' has the value 2, expected 0 to 1");
  EXPECT_EQ(error("nodes_featureids", Numbers64{0, 0}),
            "attribute 'nodes_featureids' has 2 elements, it needs 3");
  EXPECT_EQ(error("leaf_targetids", Numbers64{0, 0, 1, -1}),
            "attribute 'leaf_targetids' has the value -1, expected 0 to 1");
  EXPECT_EQ(error("nodes_modes", Tensor::of<uint8_t>({3}, {0, 0, 9})),
            "attribute 'nodes_modes' has the value 9");
  EXPECT_EQ(error("nodes_splits", floats({1})),
            "attribute 'nodes_splits' has 1 elements, it needs 3");
  EXPECT_EQ(error("n_targets", int64_t{-1}), "attribute 'n_targets' is -1, expected 1 to 2^32");
  EXPECT_EQ(error("aggregate_function", int64_t{4}),
            "attribute 'aggregate_function' has the value 4, expected 0 to 3");
}

}  // namespace
}  // namespace casemate::engine
