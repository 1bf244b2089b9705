// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Ints = std::vector<int32_t>;

Tensor row(std::initializer_list<int32_t> values) {
  return Tensor::of<int32_t>({static_cast<int64_t>(values.size())}, values);
}

Ints padded(const Tensor& x, const char* mode, std::initializer_list<int64_t> pads) {
  return values_of<int32_t>(run_node({"Pad", {{"mode", mode}}, {x, list(pads)}}));
}

TEST(Pad, fills_in_every_mode) {
  const Tensor x = row({1, 2, 3});
  EXPECT_EQ(padded(x, "constant", {2, 1}), (Ints{0, 0, 1, 2, 3, 0}));
  EXPECT_EQ(padded(x, "edge", {2, 1}), (Ints{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(padded(x, "reflect", {2, 2}), (Ints{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(padded(x, "wrap", {2, 1}), (Ints{2, 3, 1, 2, 3, 1}));
}

TEST(Pad, goes_on_where_pads_are_larger_than_the_tensor) {
  const Tensor x = row({1, 2, 3});
  EXPECT_EQ(padded(x, "reflect", {5, 0}), (Ints{2, 1, 2, 3, 2, 1, 2, 3}));
  EXPECT_EQ(padded(x, "wrap", {0, 7}), (Ints{1, 2, 3, 1, 2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(padded(row({9}), "reflect", {2, 1}), (Ints{9, 9, 9, 9}));
}

TEST(Pad, with_less_than_nothing_cuts_first) {
  const Tensor x = row({1, 2, 3, 4});
  EXPECT_EQ(padded(x, "constant", {-1, -2}), Ints{2});
  EXPECT_EQ(padded(x, "constant", {-1, 2}), (Ints{2, 3, 4, 0, 0}));
  EXPECT_EQ(padded(x, "reflect", {-2, 2}), (Ints{3, 4, 3, 4}));
  EXPECT_EQ(padded(x, "constant", {-4, 1}), Ints{0});
}

TEST(Pad, takes_a_constant_and_axes) {
  const Tensor x = counting<int16_t>({2, 2});
  const Tensor nine = Tensor::of<int16_t>({}, {9});
  const auto y = run_node({"Pad", {}, {x, list({1, 0}), nine, list({-1})}});
  EXPECT_EQ(shape_of(y), "[2,3]");
  EXPECT_EQ(values_of<int16_t>(y), (std::vector<int16_t>{9, 0, 1, 9, 2, 3}));
  const auto z = run_node({"Pad", {}, {x, list({1, 0, 0, 1}), nine}});
  EXPECT_EQ(values_of<int16_t>(z), (std::vector<int16_t>{9, 9, 9, 0, 1, 9, 2, 3, 9}));
}

TEST(Pad, of_several_axes_reflects_in_all) {
  const auto y = run_node(
      {"Pad", {{"mode", "reflect"}}, {counting<int32_t>({2, 2, 2}), list({1, 0, 1, 0, 0, 0})}});
  EXPECT_EQ(shape_of(y), "[3,2,3]");
  EXPECT_EQ(values_of<int32_t>(y), (Ints{5, 4, 5, 7, 6, 7, 1, 0, 1, 3, 2, 3, 5, 4, 5, 7, 6, 7}));
}

TEST(Pad, of_text_has_empty_strings_or_stated_ones) {
  const Tensor x = texts({1}, {"a"});
  EXPECT_EQ(values_of<std::string>(run_node({"Pad", {}, {x, list({1, 1})}})),
            (std::vector<std::string>{"", "a", ""}));
  EXPECT_EQ(values_of<std::string>(run_node({"Pad", {}, {x, list({0, 2}), texts({}, {"z"})}})),
            (std::vector<std::string>{"a", "z", "z"}));
}

TEST(Pad, states_everything_in_attributes_before_version_11) {
  const std::vector<int64_t> pads = {0, 1};
  const Tensor x = Tensor::of<Float16>({1}, {Float16(1)});
  EXPECT_EQ(values_of<Float16>(run_node({"Pad", {{"pads", pads}, {"value", 2.5F}}, {x}, 1, 2})),
            (std::vector<Float16>{Float16(1), Float16(2.5F)}));
  EXPECT_EQ(values_of<Float16>(run_node({"Pad", {{"paddings", pads}}, {x}, 1, 1})),
            (std::vector<Float16>{Float16(1), Float16(0)}));
}

TEST(Pad, of_nothing_is_all_constant) {
  EXPECT_EQ(padded(row({}), "constant", {1, 1}), (Ints{0, 0}));
  EXPECT_EQ(values_of<float>(run_node({"Pad", {}, {floats({}, {3}), list({})}})),
            std::vector<float>{3});
  EXPECT_EQ(error_of(run_node({"Pad", {{"mode", "edge"}}, {row({}), list({1, 0})}})),
            "there is nothing in an empty axis to pad it with");
}

TEST(Pad, that_has_no_meaning_is_refused) {
  const Tensor x = row({1, 2});
  const auto refusal = [&](std::initializer_list<int64_t> pads) {
    return error_of(run_node({"Pad", {}, {x, list(pads)}}));
  };
  EXPECT_EQ(refusal({1}), "it has 1 pads for 1 axes");
  EXPECT_EQ(refusal({-2, -1}), "pads of -2 and -1 cut more than an extent of 2");
  EXPECT_EQ(refusal({INT64_MIN, 0}), "the product of -9223372036854775808 and -1 overflows");
  EXPECT_EQ(refusal({INT64_MAX, INT64_MAX}),
            "the sum of 9223372036854775807 and 9223372036854775807 overflows");
  EXPECT_EQ(refusal({1 << 30, 0}), "more than a test may have");
  EXPECT_EQ(error_of(run_node({"Pad", {{"mode", "wrap"}}, {x, list({1, 1})}, 1, 18})),
            "there is no padding of mode 'wrap'");
  EXPECT_EQ(error_of(run_node({"Pad", {}, {x, list({1, 1}), row({})}})),
            "it has 0 constants to pad with, it takes one");
  EXPECT_EQ(error_of(run_node({"Pad", {}, {x, list({1, 1}), floats({}, {1})}})),
            "tensors of INT32 and FP32 are mixed");
  EXPECT_EQ(error_of(run_node({"Pad", {}, {x, list({1, 1, 1, 1}), row({0}), list({0, 0})}})),
            "axis 0 is stated twice");
}

}  // namespace
}  // namespace casemate::engine
