// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Longs = std::vector<int64_t>;
using Texts = std::vector<std::string>;

TEST(OneHot, marks_the_class) {
  const Tensor values = Tensor::of<int8_t>({2}, {0, 1});
  const Tensor indices = Tensor::of<float>({2}, {1.9F, -3});
  const auto y = run_node({"OneHot", {}, {indices, list({3}), values}});
  EXPECT_EQ(shape_of(y), "[2,3]");
  EXPECT_EQ(values_of<int8_t>(y), (std::vector<int8_t>{0, 1, 0, 1, 0, 0}));
  const auto first =
      run_node({"OneHot", {{"axis", int64_t{0}}}, {indices, floats({}, {3}), values}});
  EXPECT_EQ(shape_of(first), "[3,2]");
  EXPECT_EQ(values_of<int8_t>(first), (std::vector<int8_t>{0, 1, 1, 0, 0, 0}));
}

TEST(OneHot, of_no_class_has_none_marked) {
  const Tensor values = texts({2}, {"off", "on"});
  const Tensor indices = Tensor::of<double>({5}, {2, -3, NAN, 1e300, -1});
  EXPECT_EQ(values_of<std::string>(run_node({"OneHot", {}, {indices, list({2}), values}})),
            (Texts{"off", "off", "off", "off", "off", "off", "off", "off", "off", "on"}));
  // Before version 11 nothing counts from the end.
  EXPECT_EQ(values_of<std::string>(run_node({"OneHot", {}, {list({-1}), list({2}), values}, 1, 9})),
            (Texts{"off", "off"}));
}

TEST(OneHot, that_has_no_meaning_is_refused) {
  const Tensor values = floats({2}, {0, 1});
  const auto refusal = [&](const Tensor& depth, int64_t axis = -1) {
    return error_of(run_node({"OneHot", {{"axis", axis}}, {list({0}), depth, values}}));
  };
  EXPECT_EQ(refusal(list({-1})), "its depth is not one number of classes");
  EXPECT_EQ(refusal(list({1, 2})), "its depth is not one number of classes");
  EXPECT_EQ(refusal(floats({1}, {INFINITY})), "inf stands where an integer is needed");
  EXPECT_EQ(refusal(list({1LL << 30})), "more than a test may have");
  EXPECT_EQ(refusal(list({3}), 2), "axis 2 is none of a tensor of rank 2");
  EXPECT_EQ(error_of(run_node({"OneHot", {}, {list({0}), list({3}), floats({3}, {0, 1, 2})}})),
            "its values have shape [3], they are two");
}

Tensor bools(std::initializer_list<bool> values) {
  return Tensor::of<bool>({static_cast<int64_t>(values.size())}, values);
}

TEST(Compress, keeps_what_is_chosen) {
  const Tensor x = counting({3, 2});
  const Attributes columns = {{"axis", int64_t{-1}}};
  EXPECT_EQ(values_of<float>(run_node({"Compress", columns, {x, bools({false, true})}})),
            (std::vector<float>{1, 3, 5}));
  const Attributes rows = {{"axis", int64_t{0}}};
  EXPECT_EQ(values_of<float>(run_node({"Compress", rows, {x, bools({true, false, true})}})),
            (std::vector<float>{0, 1, 4, 5}));
  EXPECT_EQ(values_of<float>(run_node({"Compress", {}, {x, bools({false, true, false, true})}})),
            (std::vector<float>{1, 3}));
  EXPECT_EQ(shape_of(run_node({"Compress", rows, {x, bools({})}})), "[0,2]");
}

TEST(Compress, refuses_to_choose_what_is_not_there) {
  const Tensor x = counting({2});
  EXPECT_EQ(shape_of(run_node({"Compress", {}, {x, bools({true, false, false})}})), "[1]");
  EXPECT_EQ(error_of(run_node({"Compress", {}, {x, bools({true, false, true})}})),
            "its condition chooses position 2 of 2");
  EXPECT_EQ(error_of(run_node({"Compress", {}, {x, list({1})}})),
            "its condition is a tensor of INT64 of shape [1], it takes a vector of BOOL");
}

TEST(NonZero, tells_positions_by_axis) {
  const auto y = run_node({"NonZero", {}, {Tensor::of<int8_t>({2, 2}, {1, 0, -1, 1})}});
  EXPECT_EQ(shape_of(y), "[2,3]");
  EXPECT_EQ(values_of<int64_t>(y), (Longs{0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(values_of<int64_t>(run_node({"NonZero", {}, {floats({3}, {-0.0F, NAN, 0})}})),
            Longs{1});
  EXPECT_EQ(shape_of(run_node({"NonZero", {}, {floats({}, {3})}})), "[0,1]");
  EXPECT_EQ(shape_of(run_node({"NonZero", {}, {floats({}, {0})}})), "[0,0]");
  EXPECT_EQ(values_of<int64_t>(run_node({"NonZero", {}, {texts({2}, {"", "a"})}})), Longs{1});
}

TEST(NonZero, takes_any_byte_for_true_but_zero) {
  Tensor odd = Tensor::of<bool>({2}, {true, false});
  odd.mutable_bytes()[0] = 2;
  EXPECT_EQ(values_of<int64_t>(run_node({"NonZero", {}, {odd}})), Longs{0});
}

TEST(Unique, sorts_and_counts) {
  const Tensor x = floats({2, 3}, {2, 1, 1, 3, 4, 3});
  const auto y = run_node({"Unique", {}, {x}, 4});
  EXPECT_EQ(values_of<float>(y, 0), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values_of<int64_t>(y, 1), (Longs{1, 0, 3, 4}));
  EXPECT_EQ(values_of<int64_t>(y, 2), (Longs{1, 0, 0, 2, 3, 2}));
  EXPECT_EQ(values_of<int64_t>(y, 3), (Longs{2, 1, 2, 1}));
}

TEST(Unique, keeps_the_order_when_told_so) {
  const auto y =
      run_node({"Unique", {{"sorted", int64_t{0}}}, {texts({4}, {"b", "a", "b", "c"})}, 4});
  EXPECT_EQ(values_of<std::string>(y, 0), (Texts{"b", "a", "c"}));
  EXPECT_EQ(values_of<int64_t>(y, 1), (Longs{0, 1, 3}));
  EXPECT_EQ(values_of<int64_t>(y, 2), (Longs{0, 1, 0, 2}));
  EXPECT_EQ(values_of<int64_t>(y, 3), (Longs{2, 1, 1}));
}

TEST(Unique, compares_slices_along_an_axis) {
  const Tensor x = Tensor::of<uint8_t>({2, 4}, {2, 1, 2, 1, 0, 1, 0, 0});
  const auto y = run_node({"Unique", {{"axis", int64_t{-1}}}, {x}, 3});
  EXPECT_EQ(shape_of(y), "[2,3]");
  EXPECT_EQ(values_of<uint8_t>(y), (std::vector<uint8_t>{1, 1, 2, 0, 1, 0}));
  EXPECT_EQ(values_of<int64_t>(y, 1), (Longs{3, 1, 0}));
  EXPECT_EQ(values_of<int64_t>(y, 2), (Longs{2, 1, 2, 0}));
}

TEST(Unique, holds_all_that_are_no_numbers_for_one) {
  const auto y = run_node({"Unique", {}, {floats({5}, {NAN, 1, NAN, -0.0F, 0})}, 4});
  EXPECT_EQ(values_of<int64_t>(y, 1), (Longs{3, 1, 0}));
  EXPECT_EQ(values_of<int64_t>(y, 3), (Longs{2, 1, 2}));
}

TEST(Unique, of_nothing_is_nothing_or_one_empty_slice) {
  EXPECT_EQ(shape_of(run_node({"Unique", {}, {floats({0}, {})}, 4})), "[0]");
  const Attributes last = {{"axis", int64_t{1}}};
  const auto y = run_node({"Unique", last, {counting({0, 3})}, 4});
  EXPECT_EQ(shape_of(y), "[0,1]");
  EXPECT_EQ(values_of<int64_t>(y, 2), (Longs{0, 0, 0}));
  EXPECT_EQ(values_of<int64_t>(y, 3), Longs{3});
  EXPECT_EQ(error_of(run_node({"Unique", last, {counting({0, 1LL << 40})}, 4})),
            "a INT64 tensor of shape [1099511627776] is larger than 2^40 bytes");
}

}  // namespace
}  // namespace casemate::engine
