// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

TEST(Col2Im, puts_blocks_back_where_they_were) {
  // Two blocks of 1x2 in each of two rows.
  const Tensor x = counting({1, 2, 4});
  const auto y = run_node({"Col2Im", {}, {x, list({2, 3}), list({1, 2})}});
  EXPECT_EQ(shape_of(y), "[1,1,2,3]");
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{0, 1 + 4, 5, 2, 3 + 6, 7}));
}

TEST(Col2Im, leaves_padding_out_and_skips_with_strides_and_dilations) {
  const Attributes padded = {{"pads", std::vector<int64_t>{1, 0}}};
  EXPECT_EQ(
      values_of<float>(run_node({"Col2Im", padded, {counting({1, 2, 2}), list({2}), list({2})}})),
      (std::vector<float>{2 + 1, 3}));
  const Attributes sparse = {{"strides", std::vector<int64_t>{3}},
                             {"dilations", std::vector<int64_t>{2}}};
  EXPECT_EQ(
      values_of<float>(run_node({"Col2Im", sparse, {counting({1, 4, 2}), list({6}), list({2})}})),
      (std::vector<float>{0, 0, 2, 1, 0, 3, 4, 0, 6, 5, 0, 7}));
}

TEST(Col2Im, sums_wrap_and_bools_are_joined) {
  const Tensor bytes = Tensor::of<uint8_t>({1, 2, 1}, {200, 100});
  EXPECT_EQ(values_of<uint8_t>(run_node({"Col2Im", {}, {bytes, list({2}), list({2})}})),
            (std::vector<uint8_t>{200, 100}));
  const Tensor overlapping = Tensor::of<uint8_t>({1, 2, 2}, {1, 100, 200, 1});
  EXPECT_EQ(values_of<uint8_t>(run_node({"Col2Im", {}, {overlapping, list({3}), list({2})}})),
            (std::vector<uint8_t>{1, 44, 1}));
  const Tensor bools = Tensor::of<bool>({1, 2, 2}, {true, false, true, false});
  EXPECT_EQ(values_of<bool>(run_node({"Col2Im", {}, {bools, list({3}), list({2})}})),
            (std::vector<bool>{true, true, false}));
}

TEST(Col2Im, refuses_blocks_that_do_not_fit) {
  const auto refusal = [](const Shape& x, std::initializer_list<int64_t> image,
                          std::initializer_list<int64_t> block, Attributes attributes = {}) {
    return error_of(run_node({"Col2Im", attributes, {counting(x), list(image), list(block)}}));
  };
  EXPECT_EQ(refusal({1, 2, 3}, {3}, {2}), "shape [1,2,3] does not hold 2 blocks of 2 elements");
  EXPECT_EQ(refusal({1, 3, 2}, {3}, {2}), "shape [1,3,2] does not hold 2 blocks of 2 elements");
  EXPECT_EQ(refusal({1, 2, 2}, {3}, {4}), "a block is larger than the padded image along axis 0");
  EXPECT_EQ(refusal({1, 2, 2}, {3}, {2, 2}),
            "an image of 1 axes has 2 of a block, 1 dilations, 1 strides and 2 pads");
  EXPECT_EQ(refusal({1, 2, 2}, {0}, {2}),
            "an extent, stride, dilation or pad of axis 0 has no meaning");
  EXPECT_EQ(refusal({1, 2, 2}, {3}, {2}, {{"strides", std::vector<int64_t>{0}}}),
            "an extent, stride, dilation or pad of axis 0 has no meaning");
  EXPECT_EQ(refusal({1, 2, 2}, {3}, {INT64_MAX}, {{"dilations", std::vector<int64_t>{3}}}),
            "the product of 3 and 9223372036854775806 overflows");
  EXPECT_EQ(refusal({0, 0, 1}, {INT64_MAX}, {INT64_MAX}),
            "shape [9223372036854775807] has more than 2^62 elements");
}

}  // namespace
}  // namespace casemate::engine
