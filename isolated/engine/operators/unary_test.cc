// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

TEST(Unary, the_lowest_integer_is_its_own_negative) {
  constexpr int8_t kLow = std::numeric_limits<int8_t>::min();
  const Tensor x = Tensor::of<int8_t>({3}, {kLow, -1, 5});
  EXPECT_EQ(values_of<int8_t>(run_node({"Neg", {}, {x}})), (std::vector<int8_t>{kLow, 1, -5}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Abs", {}, {x}})), (std::vector<int8_t>{kLow, 1, 5}));
}

TEST(Unary, halves_are_rounded_to_even) {
  const Tensor x = Tensor::of<float>({4}, {0.5F, 1.5F, -2.5F, 2.6F});
  EXPECT_EQ(values_of<float>(run_node({"Round", {}, {x}})), (std::vector<float>{0, 2, -2, 3}));
}

TEST(Unary, sixteen_bit_floats_are_computed_in_thirty_two) {
  const Tensor x = Tensor::of<Float16>({2}, {Float16(-2), Float16(0.5F)});
  EXPECT_EQ(values_of<Float16>(run_node({"Abs", {}, {x}})),
            (std::vector<Float16>{Float16(2), Float16(0.5F)}));
}

TEST(Unary, text_is_refused) {
  const Tensor x = *Tensor::make({1}, std::vector<std::string>{"a"});
  EXPECT_EQ(error_of(run_node({"Exp", {}, {x}})), "it is not defined for tensors of BYTES");
}

}  // namespace
}  // namespace casemate::engine
