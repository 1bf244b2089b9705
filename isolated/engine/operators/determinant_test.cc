// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

TEST(Det, determinants_are_those_of_the_last_two_dimensions) {
  EXPECT_EQ(values_of<float>(run_node({"Det", {}, {Tensor::of<float>({2, 2}, {0, 1, 2, 3})}})),
            (std::vector<float>{-2}));
  const auto y = run_node({"Det", {}, {Tensor::of<float>({2, 2, 2}, {1, 2, 3, 4, 1, 2, 2, 4})}});
  EXPECT_EQ(shape_made(y), (Shape{2}));
  expect_near(y, {-2, 0});
  expect_near(run_node({"Det", {}, {Tensor::of<float>({3, 3}, {2, 0, 1, 1, 3, 2, 1, 1, 4})}}),
              {18});
}

TEST(Det, the_determinant_of_nothing_is_one) {
  expect_near(run_node({"Det", {}, {Tensor::of<float>({2, 0, 0}, {})}}), {1, 1});
  EXPECT_EQ(error_of(run_node({"Det", {}, {counting({2, 3})}})),
            "its input has shape [2,3], it takes square matrices");
  EXPECT_EQ(error_of(run_node({"Det", {}, {counting({2})}})),
            "its input has shape [2], it takes square matrices");
}

}  // namespace
}  // namespace casemate::engine
