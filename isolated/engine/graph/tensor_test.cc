// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/tensor.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

// Four numbers, and how often they were made.
struct Made {
  int times = 0;
  const Tensor tensor = *Tensor::deferred(ElementType::kFloat32, {4}, [this] {
    ++times;
    const std::vector<float> values = {1, 2, 3, 4};
    const auto* data = static_cast<const char*>(static_cast<const void*>(values.data()));
    return std::string(data, values.size() * sizeof(float));
  });
};

TEST(Tensor, makes_deferred_elements_when_they_are_asked_for) {
  Made made;
  const Tensor copy = made.tensor.reshaped({2, 2});
  EXPECT_EQ(made.tensor.byte_count(), 16u);
  EXPECT_TRUE(copy.shares_with(made.tensor));
  EXPECT_EQ(made.times, 0);
  EXPECT_EQ(copy.values<float>()[3], 4);
  EXPECT_EQ(made.tensor.values<float>()[0], 1);
  EXPECT_EQ(made.times, 1) << "copies share them";
}

TEST(Tensor, makes_elements_again_that_were_forgotten) {
  Made made;
  EXPECT_EQ(made.tensor.values<float>()[1], 2);
  made.tensor.forget();
  EXPECT_EQ(made.tensor.values<float>()[1], 2);
  EXPECT_EQ(made.times, 2);
  const Tensor there = Tensor::of<float>({1}, {7});
  there.forget();
  EXPECT_EQ(there.values<float>()[0], 7) << "what cannot be made again stays";
}

TEST(Tensor, makes_elements_no_more_once_they_are_settled) {
  Made made;
  made.tensor.settle();
  made.tensor.forget();
  EXPECT_EQ(made.tensor.values<float>()[2], 3);
  EXPECT_EQ(made.times, 1);
}

TEST(Tensor, that_is_written_to_leaves_deferred_elements_to_others_as_they_are) {
  Made made;
  Tensor written = made.tensor;
  written.values<float>()[0] = 9;
  EXPECT_FALSE(written.shares_with(made.tensor));
  EXPECT_EQ(made.tensor.values<float>()[0], 1);
  EXPECT_EQ(written.values<float>()[0], 9);
}

}  // namespace
}  // namespace casemate::engine
