// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Int8s = std::vector<int8_t>;

const Attributes kFmod = {{"fmod", int64_t{1}}};

template <class T>
Tensor row(std::initializer_list<T> values) {
  return Tensor::of<T>({static_cast<int64_t>(values.size())}, values);
}

TEST(Binary, arithmetic_is_that_of_the_type) {
  const Tensor a = row<double>({7, -1});
  const Tensor b = row<double>({2, 4});
  EXPECT_EQ(values_of<double>(run_node({"Add", {}, {a, b}})), (std::vector<double>{9, 3}));
  EXPECT_EQ(values_of<double>(run_node({"Sub", {}, {a, b}})), (std::vector<double>{5, -5}));
  EXPECT_EQ(values_of<double>(run_node({"Mul", {}, {a, b}})), (std::vector<double>{14, -4}));
  EXPECT_EQ(values_of<double>(run_node({"Div", {}, {a, b}})), (std::vector<double>{3.5, -0.25}));
  const Tensor half = row<Float16>({Float16(60000)});
  EXPECT_TRUE(
      std::isinf(static_cast<float>(values_of<Float16>(run_node({"Add", {}, {half, half}}))[0])));
}

TEST(Binary, integers_wrap_around_their_bounds) {
  const Tensor a = row<int8_t>({127, -128, 100});
  const Tensor b = row<int8_t>({1, 1, 3});
  EXPECT_EQ(values_of<int8_t>(run_node({"Add", {}, {a, b}})), (Int8s{-128, -127, 103}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Sub", {}, {a, b}})), (Int8s{126, 127, 97}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Mul", {}, {a, b}})), (Int8s{127, -128, 44}));
  const Tensor c = row<int64_t>({std::numeric_limits<int64_t>::max()});
  EXPECT_EQ(values_of<int64_t>(run_node({"Mul", {}, {c, c}})), std::vector<int64_t>{1});
  const Tensor d = row<uint16_t>({65535});
  EXPECT_EQ(values_of<uint16_t>(run_node({"Mul", {}, {d, d}})), std::vector<uint16_t>{1});
}

TEST(Binary, no_division_of_integers_traps) {
  const Tensor a = row<int8_t>({7, -7, -128, 5, 0});
  const Tensor b = row<int8_t>({2, 2, -1, 0, 0});
  EXPECT_EQ(values_of<int8_t>(run_node({"Div", {}, {a, b}})), (Int8s{3, -3, -128, 0, 0}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Mod", {}, {a, b}})), (Int8s{1, 1, 0, 0, 0}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Mod", kFmod, {a, b}})), (Int8s{1, -1, 0, 0, 0}));
  const Tensor c = row<int32_t>({std::numeric_limits<int32_t>::min()});
  const Tensor d = row<int32_t>({-1});
  EXPECT_EQ(values_of<int32_t>(run_node({"Div", {}, {c, d}}))[0],
            std::numeric_limits<int32_t>::min());
  EXPECT_EQ(values_of<int32_t>(run_node({"Mod", {}, {c, d}}))[0], 0);
  const Tensor e = row<int64_t>({INT64_MIN, INT64_MIN, 7});
  const Tensor f = row<int64_t>({-1, 0, 0});
  EXPECT_EQ(values_of<int64_t>(run_node({"Div", {}, {e, f}})),
            (std::vector<int64_t>{INT64_MIN, 0, 0}));
  for (const Attributes& kind : {Attributes(), Attributes(kFmod)}) {
    EXPECT_EQ(values_of<int64_t>(run_node({"Mod", kind, {e, f}})), (std::vector<int64_t>{0, 0, 0}));
  }
}

TEST(Binary, remainders_have_the_sign_of_one_side) {
  const Tensor a = row<int32_t>({-4, 7, 5, 4, -7, 8});
  const Tensor b = row<int32_t>({2, -3, 8, -2, 3, 5});
  EXPECT_EQ(values_of<int32_t>(run_node({"Mod", {}, {a, b}})),
            (std::vector<int32_t>{0, -2, 5, 0, 2, 3}));
  EXPECT_EQ(values_of<int32_t>(run_node({"Mod", kFmod, {a, b}})),
            (std::vector<int32_t>{0, 1, 5, 0, -1, 3}));
  const Tensor c = row<float>({-4.3F, 7.2F, 5.0F});
  const Tensor d = row<float>({2.1F, -3.4F, 8.0F});
  const auto floored = values_of<float>(run_node({"Mod", {}, {c, d}}));
  EXPECT_NEAR(floored[0], 2.0F, 1e-5);
  EXPECT_NEAR(floored[1], -3.0F, 1e-5);
  const auto truncated = values_of<float>(run_node({"Mod", kFmod, {c, d}}));
  EXPECT_NEAR(truncated[0], -0.1F, 1e-5);
  EXPECT_NEAR(truncated[1], 0.4F, 1e-5);
}

TEST(Binary, powers_of_integers_are_exact_and_wrap) {
  const Tensor base = row<int64_t>({3, -2, 10, 2, 0, 0});
  const Tensor exponent = row<int64_t>({39, 63, 3, 64, 0, 5});
  EXPECT_EQ(values_of<int64_t>(run_node({"Pow", {}, {base, exponent}})),
            (std::vector<int64_t>{4052555153018976267, std::numeric_limits<int64_t>::min(), 1000, 0,
                                  1, 0}));
  const Tensor below = row<int64_t>({1, -1, -1, 2, 0});
  const Tensor negative = row<int64_t>({-3, -3, -2, -1, -1});
  EXPECT_EQ(values_of<int64_t>(run_node({"Pow", {}, {below, negative}})),
            (std::vector<int64_t>{1, -1, 1, 0, 0}));
}

TEST(Binary, powers_have_the_type_of_the_base) {
  const Tensor real = row<float>({1, 2, 3});
  const Tensor whole = row<int32_t>({4, 5, 6});
  EXPECT_EQ(values_of<float>(run_node({"Pow", {}, {real, whole}})),
            (std::vector<float>{1, 32, 729}));
  EXPECT_EQ(values_of<int32_t>(run_node({"Pow", {}, {whole, real}})),
            (std::vector<int32_t>{4, 25, 216}));
  const Tensor huge = row<float>({1e10F, std::numeric_limits<float>::quiet_NaN(), -1});
  EXPECT_EQ(values_of<int32_t>(run_node({"Pow", {}, {whole, huge}})),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::max(), 0, 0}));
  const Tensor bytes = Tensor::of<uint8_t>({}, {2});
  EXPECT_EQ(values_of<float>(run_node({"Pow", {}, {real, bytes}})), (std::vector<float>{1, 4, 9}));
  const Tensor halves = row<Float16>({Float16(4), Float16(9)});
  const Tensor root = row<float>({0.5F});
  EXPECT_EQ(values_of<Float16>(run_node({"Pow", {}, {halves, root}})),
            (std::vector<Float16>{Float16(2), Float16(3)}));
}

TEST(Binary, squares_have_the_shape_of_both) {
  const Tensor x = row<float>({3, -4});
  const Tensor two = Tensor::of<float>({1, 1, 1}, {2});
  const auto y = run_node({"Pow", {}, {x, two}});
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{9, 16}));
  EXPECT_EQ((*y)[0].tensor()->shape(), (Shape{1, 1, 2}));
}

TEST(Binary, bits_may_all_be_shifted_out) {
  const Tensor x = row<uint8_t>({16, 4, 1, 255, 255});
  const Tensor by = row<uint8_t>({1, 2, 3, 8, 255});
  EXPECT_EQ(values_of<uint8_t>(run_node({"BitShift", {{"direction", "RIGHT"}}, {x, by}})),
            (std::vector<uint8_t>{8, 1, 0, 0, 0}));
  EXPECT_EQ(values_of<uint8_t>(run_node({"BitShift", {{"direction", "LEFT"}}, {x, by}})),
            (std::vector<uint8_t>{32, 16, 8, 0, 0}));
  const Tensor y = row<uint64_t>({1, 1});
  const Tensor far = row<uint64_t>({63, 64});
  EXPECT_EQ(values_of<uint64_t>(run_node({"BitShift", {{"direction", "LEFT"}}, {y, far}})),
            (std::vector<uint64_t>{1ull << 63, 0}));
  EXPECT_EQ(error_of(run_node({"BitShift", {{"direction", "left"}}, {x, by}})),
            "its attribute 'direction' is 'left', it takes 'LEFT' or 'RIGHT'");
  const Tensor negative = row<int8_t>({1});
  EXPECT_EQ(error_of(run_node({"BitShift", {{"direction", "LEFT"}}, {negative, negative}})),
            "it is not defined for tensors of INT8");
}

TEST(Binary, bits_are_combined_one_by_one) {
  const Tensor a = row<int16_t>({12, -1});
  const Tensor b = row<int16_t>({10, 5});
  EXPECT_EQ(values_of<int16_t>(run_node({"BitwiseAnd", {}, {a, b}})), (std::vector<int16_t>{8, 5}));
  EXPECT_EQ(values_of<int16_t>(run_node({"BitwiseOr", {}, {a, b}})),
            (std::vector<int16_t>{14, -1}));
  EXPECT_EQ(values_of<int16_t>(run_node({"BitwiseXor", {}, {a, b}})),
            (std::vector<int16_t>{6, -6}));
}

TEST(Binary, both_operands_are_there_and_of_one_type) {
  const Tensor a = row<float>({1});
  const Tensor b = row<double>({1});
  EXPECT_EQ(error_of(run_node({"Add", {}, {a, b}})),
            "its input 1 is a tensor of FP64, it takes one of FP32");
  EXPECT_EQ(error_of(run_node({"Add", {}, {a, Datum()}})), "its input 1 is left out");
  EXPECT_EQ(error_of(run_node({"Add", {}, {a}})), "its input 1 is left out");
  EXPECT_EQ(error_of(run_node({"Add", {}, {a, Sequence{a}}})), "its input 1 is no tensor");
}

}  // namespace
}  // namespace casemate::engine
