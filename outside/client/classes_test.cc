// SPDX-License-Identifier: Apache-2.0
#include "outside/client/classes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace casemate::client {
namespace {

Tensor row(const std::vector<float>& values) {
  Tensor tensor{"scores", ElementType::kFloat32, {1, static_cast<int64_t>(values.size())}, {}};
  for (const float& value : values) {
    const Bytes bytes = bytes_of(value);
    tensor.data.insert(tensor.data.end(), bytes.begin(), bytes.end());
  }
  return tensor;
}

TEST(Classes, probabilities_are_taken_as_they_are_best_first) {
  const auto best = top_classes(row({0.2f, 0.5f, 0.3f}), {"cat", "dog", "eel"}, 2);
  ASSERT_TRUE(best) << best.error().text;
  ASSERT_EQ(best->size(), 2u);
  EXPECT_EQ(best->at(0).label, "dog");
  EXPECT_NEAR(best->at(0).probability, 0.5, 1e-6);
  EXPECT_EQ(best->at(1).index, 2u);
}

TEST(Classes, other_scores_go_through_softmax_without_overflow) {
  const auto best = top_classes(row({1000, 1000, -1000}), {}, 3);
  ASSERT_TRUE(best) << best.error().text;
  EXPECT_NEAR(best->at(0).probability, 0.5, 1e-6);
  EXPECT_EQ(best->at(0).label, "0") << "equal scores come in the order of their index";
  EXPECT_NEAR(best->at(2).probability, 0, 1e-6);
}

TEST(Classes, labels_of_another_number_are_not_used) {
  EXPECT_EQ(top_classes(row({0.25f, 0.75f}), {"only one"}, 1)->at(0).label, "1");
}

TEST(Classes, a_hostile_label_cannot_write_to_the_terminal) {
  EXPECT_EQ(top_classes(row({0.25f, 0.75f}), {"a", "\x1b[2J"}, 1)->at(0).label, "?[2J");
}

TEST(Classes, outputs_that_are_no_row_of_scores_are_refused) {
  Tensor two = row({0.1f, 0.2f, 0.3f, 0.4f});
  two.shape = {2, 2};
  EXPECT_FALSE(top_classes(two, {}, 1));
  EXPECT_FALSE(top_classes(row({1}), {}, 1));
  EXPECT_FALSE(top_classes({"n", ElementType::kInt32, {2}, std::vector<uint8_t>(8)}, {}, 1));
  EXPECT_FALSE(top_classes(row({0.5f, std::numeric_limits<float>::quiet_NaN()}), {}, 1));
  EXPECT_FALSE(top_classes(row({0.5f, std::numeric_limits<float>::infinity()}), {}, 1));
}

TEST(Classes, labels_are_split_at_commas) {
  ModelMetadata metadata;
  EXPECT_TRUE(labels_of(metadata).empty());
  metadata.properties["casemate.labels"] = "a,b c,,d";
  EXPECT_EQ(labels_of(metadata), (std::vector<std::string>{"a", "b c", "", "d"}));
}

}  // namespace
}  // namespace casemate::client
