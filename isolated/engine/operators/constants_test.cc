// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

Tensor integers(std::vector<int64_t> values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return Tensor::of<int64_t>(shape, std::span<const int64_t>(values));
}

Datum constant(const std::string& name, Attribute value) {
  auto made = run_node({"Constant", {{name, std::move(value)}}, {}});
  return made ? (*made)[0] : Datum();
}

TEST(Constants, a_value_has_many_forms) {
  const Tensor tensor = Tensor::of<int8_t>({1, 2}, {1, 2});
  EXPECT_EQ(constant("value", tensor), Datum(tensor));
  EXPECT_EQ(constant("value_float", 0.5F), Datum(Tensor::of<float>({}, {0.5F})));
  EXPECT_EQ(constant("value_floats", std::vector<float>{1, 2}),
            Datum(Tensor::of<float>({2}, {1, 2})));
  EXPECT_EQ(constant("value_int", int64_t{7}), Datum(Tensor::of<int64_t>({}, {7})));
  EXPECT_EQ(constant("value_ints", std::vector<int64_t>{}), Datum(Tensor::of<int64_t>({0}, {})));
  EXPECT_EQ(constant("value_string", "a"), Datum(*Tensor::make(Shape{}, {"a"})));
  EXPECT_EQ(constant("value_strings", std::vector<std::string>{"a", "b"}),
            Datum(*Tensor::make({2}, {"a", "b"})));
  EXPECT_EQ(error_of(run_node({"Constant", {}, {}})), "it has no attribute that gives its value");
}

TEST(Constants, a_shape_is_filled) {
  const auto zeros = run_node({"ConstantOfShape", {}, {integers({2, 3})}});
  EXPECT_EQ((*zeros)[0], Datum(*Tensor::zeros(ElementType::kFloat32, {2, 3})));
  const Attributes seven = {{"value", Tensor::of<int32_t>({1}, {7})}};
  EXPECT_EQ(values_of<int32_t>(run_node({"ConstantOfShape", seven, {integers({2})}})),
            (std::vector<int32_t>{7, 7}));
  EXPECT_EQ(values_of<int32_t>(run_node({"ConstantOfShape", seven, {integers({})}})),
            std::vector<int32_t>{7});
  EXPECT_TRUE(values_of<int32_t>(run_node({"ConstantOfShape", seven, {integers({0})}})).empty());
  const Attributes odd = {{"value", *Tensor::make(ElementType::kBool, {1}, "\2")}};
  EXPECT_EQ(values_of<bool>(run_node({"ConstantOfShape", odd, {integers({1})}})),
            std::vector<bool>{true});
}

TEST(Constants, a_shape_may_be_any_numbers) {
  const auto refused = [](std::vector<int64_t> extents) {
    return error_of(run_node({"ConstantOfShape", {}, {integers(std::move(extents))}}));
  };
  EXPECT_EQ(refused({2, -1}), "shape [2,-1] has a negative extent");
  EXPECT_EQ(refused(std::vector<int64_t>(100, 1)),
            "its input has the shape [100], it takes a list of at most 8 extents");
  EXPECT_EQ(refused({1 << 30}), "more than a test may have");
  EXPECT_EQ(refused({INT64_MAX, INT64_MAX}),
            "shape [9223372036854775807,9223372036854775807] has more than 2^62 elements");
  const Tensor scalar = Tensor::of<int64_t>({}, {2});
  EXPECT_EQ(error_of(run_node({"ConstantOfShape", {}, {scalar}})),
            "its input has the shape [], it takes a list of at most 8 extents");
  const Attributes two = {{"value", Tensor::of<float>({2}, {1, 2})}};
  EXPECT_EQ(error_of(run_node({"ConstantOfShape", two, {integers({1})}})),
            "its value has 2 elements, it takes one");
  const Attributes text = {{"value", *Tensor::make({1}, {"a"})}};
  EXPECT_EQ(error_of(run_node({"ConstantOfShape", text, {integers({1})}})),
            "it is not defined for tensors of BYTES");
}

TEST(Constants, ones_stand_on_a_diagonal) {
  const Tensor x = Tensor::of<int32_t>({2, 3}, {9, 9, 9, 9, 9, 9});
  const auto diagonal = [&](int64_t k) {
    return values_of<int32_t>(run_node({"EyeLike", {{"k", k}}, {x}}));
  };
  EXPECT_EQ(diagonal(0), (std::vector<int32_t>{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(diagonal(2), (std::vector<int32_t>{0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(diagonal(-1), (std::vector<int32_t>{0, 0, 0, 1, 0, 0}));
  for (const int64_t k : {int64_t{3}, int64_t{-2}, INT64_MAX, INT64_MIN})
    EXPECT_EQ(diagonal(k), (std::vector<int32_t>{0, 0, 0, 0, 0, 0})) << k;
  EXPECT_EQ(values_of<bool>(run_node({"EyeLike", {{"dtype", int64_t{9}}}, {x}})),
            (std::vector<bool>{true, false, false, false, true, false}));
  EXPECT_EQ(error_of(run_node({"EyeLike", {}, {integers({1})}})),
            "its input has the shape [1], it takes a matrix");
  EXPECT_EQ(error_of(run_node({"EyeLike", {{"dtype", int64_t{8}}}, {x}})),
            "it is not defined for tensors of BYTES");
}

template <class T>
NodeRun range(T start, T limit, T delta) {
  const auto scalar = [](T value) { return Tensor::of<T>({}, {value}); };
  return {"Range", {}, {scalar(start), scalar(limit), scalar(delta)}};
}

TEST(Constants, ranges_end_before_their_limit) {
  EXPECT_EQ(values_of<int32_t>(run_node(range<int32_t>(3, 9, 3))), (std::vector<int32_t>{3, 6}));
  EXPECT_EQ(values_of<int64_t>(run_node(range<int64_t>(10, 4, -2))),
            (std::vector<int64_t>{10, 8, 6}));
  EXPECT_EQ(values_of<int16_t>(run_node(range<int16_t>(0, 5, 2))), (std::vector<int16_t>{0, 2, 4}));
  EXPECT_EQ(values_of<float>(run_node(range<float>(1, 5, 2))), (std::vector<float>{1, 3}));
  EXPECT_EQ(values_of<float>(run_node(range<float>(0, 0.5F, 0.25F))),
            (std::vector<float>{0, 0.25F}));
  EXPECT_EQ(values_of<double>(run_node(range<double>(1, 0, -0.5))), (std::vector<double>{1, 0.5}));
  EXPECT_TRUE(values_of<float>(run_node(range<float>(5, 1, 2))).empty());
  EXPECT_TRUE(values_of<int32_t>(run_node(range<int32_t>(1, 5, -2))).empty());
}

TEST(Constants, ranges_may_be_of_any_numbers) {
  EXPECT_EQ(values_of<int64_t>(run_node(range(INT64_MIN, INT64_MAX, INT64_MAX))),
            (std::vector<int64_t>{INT64_MIN, -1, INT64_MAX - 1}));
  EXPECT_EQ(values_of<int64_t>(run_node(range(INT64_MAX, INT64_MIN, INT64_MIN))),
            (std::vector<int64_t>{INT64_MAX, -1}));
  EXPECT_EQ(error_of(run_node(range<int64_t>(INT64_MIN, INT64_MAX, 1))),
            "from -9223372036854775808 to 9223372036854775807 in steps of 1 are too many numbers");
  EXPECT_EQ(error_of(run_node(range<int64_t>(0, int64_t{1} << 30, 1))),
            "more than a test may have");
  EXPECT_EQ(error_of(run_node(range<int32_t>(0, 1, 0))), "its delta is 0");
  EXPECT_EQ(error_of(run_node(range<float>(0, 1, 0))), "its delta is 0");
  EXPECT_EQ(error_of(run_node(range<float>(0, 1, std::nanf("")))),
            "from 0 to 1 in steps of nan are too many numbers");
  EXPECT_EQ(error_of(run_node(range<double>(0, std::numeric_limits<double>::infinity(), 1))),
            "from 0 to inf in steps of 1 are too many numbers");
  EXPECT_EQ(error_of(run_node(range<double>(0, 1, 1e-300))),
            "from 0 to 1 in steps of 1e-300 are too many numbers");
  EXPECT_EQ(error_of(run_node({"Range", {}, {integers({1}), integers({2, 3}), integers({1})}})),
            "its input 1 has 2 elements, it takes one");
}

}  // namespace
}  // namespace casemate::engine
