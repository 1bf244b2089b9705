// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Unary, the_lowest_integer_is_its_own_negative) {
  constexpr int8_t kLow = std::numeric_limits<int8_t>::min();
  const Tensor x = Tensor::of<int8_t>({3}, {kLow, -1, 5});
  EXPECT_EQ(values_of<int8_t>(run_node({"Neg", {}, {x}})), (std::vector<int8_t>{kLow, 1, -5}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Abs", {}, {x}})), (std::vector<int8_t>{kLow, 1, 5}));
  constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
  const Tensor wide = Tensor::of<int64_t>({1}, {kLowest});
  EXPECT_EQ(values_of<int64_t>(run_node({"Abs", {}, {wide}})), std::vector<int64_t>{kLowest});
}

TEST(Unary, halves_are_rounded_to_even) {
  const Tensor x = Tensor::of<float>({4}, {0.5F, 1.5F, -2.5F, 2.6F});
  EXPECT_EQ(values_of<float>(run_node({"Round", {}, {x}})), (std::vector<float>{0, 2, -2, 3}));
  EXPECT_EQ(values_of<float>(run_node({"Floor", {}, {x}})), (std::vector<float>{0, 1, -3, 2}));
  EXPECT_EQ(values_of<float>(run_node({"Ceil", {}, {x}})), (std::vector<float>{1, 2, -2, 3}));
}

TEST(Unary, sixteen_bit_floats_are_computed_in_thirty_two) {
  const Tensor x = Tensor::of<Float16>({2}, {Float16(-2), Float16(0.5F)});
  EXPECT_EQ(values_of<Float16>(run_node({"Abs", {}, {x}})),
            (std::vector<Float16>{Float16(2), Float16(0.5F)}));
  const Tensor y = Tensor::of<Bfloat16>({1}, {Bfloat16(16)});
  EXPECT_EQ(values_of<Bfloat16>(run_node({"Sqrt", {}, {y}})), std::vector<Bfloat16>{Bfloat16(4)});
}

TEST(Unary, text_and_what_is_left_out_are_refused) {
  const Tensor x = *Tensor::make({1}, std::vector<std::string>{"a"});
  EXPECT_EQ(error_of(run_node({"Exp", {}, {x}})), "it is not defined for tensors of BYTES");
  EXPECT_EQ(error_of(run_node({"Exp", {}, {Datum()}})), "it is not defined for tensors of NONE");
  const Tensor bytes = Tensor::of<uint8_t>({1}, {1});
  EXPECT_EQ(error_of(run_node({"Not", {}, {bytes}})), "it is not defined for tensors of UINT8");
}

TEST(Unary, functions_of_one_number_are_those_of_their_names) {
  struct Point {
    const char* op;
    double x;
    double y;
  };
  for (const Point& point : std::initializer_list<Point>{
           {"Exp", 1, 2.718281828459045},
           {"Log", 10, 2.302585092994046},
           {"Sqrt", 2, 1.414213562373095},
           {"Reciprocal", 4, 0.25},
           {"Sin", 1, 0.8414709848078965},
           {"Cos", 1, 0.5403023058681398},
           {"Tan", 1, 1.557407724654902},
           {"Asin", 0.5, 0.5235987755982989},
           {"Acos", 0.5, 1.047197551196598},
           {"Atan", 1, 0.7853981633974483},
           {"Sinh", 1, 1.175201193643801},
           {"Cosh", 1, 1.543080634815244},
           {"Tanh", 1, 0.7615941559557649},
           {"Asinh", 1, 0.881373587019543},
           {"Acosh", 2, 1.316957896924817},
           {"Atanh", 0.5, 0.5493061443340548},
           {"Erf", 1, 0.8427007929497149},
           {"Floor", -0.5, -1},
       }) {
    const Tensor wide = Tensor::of<double>({}, {point.x});
    const auto y = values_of<double>(run_node({point.op, {}, {wide}}));
    ASSERT_EQ(y.size(), 1u);
    EXPECT_NEAR(y[0], point.y, 1e-14) << point.op;
    const Tensor narrow = Tensor::of<float>({}, {static_cast<float>(point.x)});
    const auto z = values_of<float>(run_node({point.op, {}, {narrow}}));
    EXPECT_NEAR(z[0], point.y, 1e-6) << point.op;
  }
}

TEST(Unary, roots_and_logarithms_outside_their_domain_are_no_numbers) {
  const Tensor x = Tensor::of<float>({1}, {-1});
  EXPECT_TRUE(std::isnan(values_of<float>(run_node({"Sqrt", {}, {x}}))[0]));
  EXPECT_TRUE(std::isnan(values_of<float>(run_node({"Log", {}, {x}}))[0]));
  const Tensor zero = Tensor::of<float>({1}, {0});
  EXPECT_EQ(values_of<float>(run_node({"Reciprocal", {}, {zero}}))[0], kInfinity);
}

TEST(Unary, signs_are_those_of_all_types) {
  const Tensor real = Tensor::of<float>({4}, {-3, 0, 7, kNan});
  const auto signs = values_of<float>(run_node({"Sign", {}, {real}}));
  EXPECT_EQ(std::vector<float>(signs.begin(), signs.begin() + 3), (std::vector<float>{-1, 0, 1}));
  EXPECT_TRUE(std::isnan(signs[3]));
  const Tensor whole = Tensor::of<uint64_t>({2}, {0, 1ull << 63});
  EXPECT_EQ(values_of<uint64_t>(run_node({"Sign", {}, {whole}})), (std::vector<uint64_t>{0, 1}));
}

TEST(Unary, the_error_function_of_integers_loses_its_fraction) {
  const Tensor x = Tensor::of<int32_t>({4}, {-100, 0, 1, 100});
  EXPECT_EQ(values_of<int32_t>(run_node({"Erf", {}, {x}})), (std::vector<int32_t>{-1, 0, 0, 1}));
}

TEST(Unary, a_bool_may_hold_any_byte) {
  const Tensor x = *Tensor::make(ElementType::kBool, {3}, std::string("\0\1\2", 3));
  EXPECT_EQ(values_of<bool>(run_node({"Not", {}, {x}})), (std::vector<bool>{true, false, false}));
}

TEST(Unary, bits_of_integers_are_turned) {
  const Tensor x = Tensor::of<uint8_t>({2}, {0, 0xF0});
  EXPECT_EQ(values_of<uint8_t>(run_node({"BitwiseNot", {}, {x}})),
            (std::vector<uint8_t>{0xFF, 0x0F}));
  const Tensor y = Tensor::of<int16_t>({1}, {-1});
  EXPECT_EQ(values_of<int16_t>(run_node({"BitwiseNot", {}, {y}})), std::vector<int16_t>{0});
}

TEST(Unary, infinities_are_found_on_the_sides_that_are_asked_for) {
  const Tensor x = Tensor::of<float>({4}, {kInfinity, -kInfinity, kNan, 1});
  EXPECT_EQ(values_of<bool>(run_node({"IsNaN", {}, {x}})),
            (std::vector<bool>{false, false, true, false}));
  EXPECT_EQ(values_of<bool>(run_node({"IsInf", {}, {x}})),
            (std::vector<bool>{true, true, false, false}));
  EXPECT_EQ(values_of<bool>(run_node({"IsInf", {{"detect_negative", int64_t{0}}}, {x}})),
            (std::vector<bool>{true, false, false, false}));
  EXPECT_EQ(values_of<bool>(run_node({"IsInf", {{"detect_positive", int64_t{0}}}, {x}})),
            (std::vector<bool>{false, true, false, false}));
}

TEST(Unary, anything_is_identical_to_itself) {
  const Tensor text = *Tensor::make({1}, std::vector<std::string>{"a"});
  EXPECT_EQ((*run_node({"Identity", {}, {text}}))[0], Datum(text));
  const Tensor x = Tensor::of<float>({2}, {1, 2});
  const auto same = run_node({"Identity", {}, {x}});
  EXPECT_TRUE((*same)[0].tensor()->shares_with(x));
  const Sequence sequence = {x, text};
  EXPECT_EQ((*run_node({"Identity", {}, {sequence}}))[0], Datum(sequence));
  EXPECT_TRUE((*run_node({"Identity", {}, {Datum()}}))[0].empty());
}

TEST(Unary, nothing_has_an_exponential_too) {
  const Tensor x = Tensor::of<float>({0, 3}, {});
  EXPECT_TRUE(values_of<float>(run_node({"Exp", {}, {x}})).empty());
}

}  // namespace
}  // namespace casemate::engine
