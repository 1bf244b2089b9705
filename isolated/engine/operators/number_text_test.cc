// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/number_text.h"
#include "base/format.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

std::string error_text(const Result<double>& number) {
  return number ? "no error" : number.error().text;
}

TEST(NumberText, floats_have_the_fewest_digits_that_tell_them_apart) {
  EXPECT_EQ(number_text(0.1F), "0.1");
  EXPECT_EQ(number_text(0.039187793F), "0.039187793");
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(-3.0F), "-3.0");
  EXPECT_EQ(number_text(0.0), "0.0");
  EXPECT_EQ(number_text(-0.0), "-0.0");
  EXPECT_EQ(number_text(314.15926), "314.15926");
  EXPECT_EQ(number_text(16777216.0F), "16777216.0");
  EXPECT_EQ(number_text(1e15), "1000000000000000.0");
  EXPECT_EQ(number_text(123456790519087104.0F), "1.2345679e+17");
  EXPECT_EQ(number_text(1e16), "1e+16");
  EXPECT_EQ(number_text(0.0001), "0.0001");
  EXPECT_EQ(number_text(0.00001F), "1e-05");
  EXPECT_EQ(number_text(1.5e-300), "1.5e-300");
}

TEST(NumberText, sixteen_bit_floats_need_few_digits) {
  EXPECT_EQ(number_text(Float16(0.1F)), "0.1");
  EXPECT_EQ(number_text(Float16(65504)), "65500.0");
  EXPECT_EQ(number_text(Float16(1.0009766F)), "1.001");
  EXPECT_EQ(number_text(Bfloat16(0.1F)), "0.1");
  EXPECT_EQ(number_text(Bfloat16(1.0078125F)), "1.01");
  // Each of them is read as what it was written from.
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const auto half = std::bit_cast<Float16>(static_cast<uint16_t>(bits));
    ASSERT_EQ(*number_from<Float16>(number_text(half)), half) << bits;
  }
}

TEST(NumberText, what_is_not_finite_has_the_names_of_onnx) {
  EXPECT_EQ(number_text(std::numeric_limits<float>::quiet_NaN()), "NaN");
  EXPECT_EQ(number_text(std::numeric_limits<double>::infinity()), "INF");
  EXPECT_EQ(number_text(-std::numeric_limits<float>::infinity()), "-INF");
  EXPECT_EQ(number_text(true), "True");
  EXPECT_EQ(number_text(int8_t{-128}), "-128");
  EXPECT_EQ(number_text(UINT64_MAX), "18446744073709551615");
}

TEST(NumberText, reals_are_read_as_python_reads_them) {
  EXPECT_EQ(*number_from<float>("0.47892547"), 0.47892547F);
  EXPECT_EQ(*number_from<double>(" +1e-5\n"), 1e-5);
  EXPECT_EQ(*number_from<double>("1E8"), 1e8);
  EXPECT_EQ(*number_from<double>(".5"), 0.5);
  EXPECT_TRUE(std::isnan(*number_from<float>("nAn")));
  for (const char* text : {"INF", "+inf", "Infinity", "1e999"})
    EXPECT_EQ(*number_from<double>(text), std::numeric_limits<double>::infinity()) << text;
  EXPECT_EQ(*number_from<double>("-1e999"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(*number_from<double>("1e-999"), 0);
  EXPECT_TRUE(std::isinf(static_cast<float>(*number_from<Float16>("1e9"))));
}

TEST(NumberText, integers_keep_all_their_digits) {
  EXPECT_EQ(*number_from<int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(*number_from<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*number_from<int32_t>("+12"), 12);
  EXPECT_EQ(*number_from<int32_t>("100.5"), 100);
  EXPECT_EQ(*number_from<int8_t>("300"), 127);
  EXPECT_EQ(*number_from<uint8_t>("-5"), 0);
  EXPECT_EQ(*number_from<int64_t>("1e30"), INT64_MAX);
  EXPECT_EQ(*number_from<bool>("True"), true);
  EXPECT_EQ(*number_from<bool>("0"), false);
  EXPECT_EQ(*number_from<bool>("0.5"), true);
}

TEST(NumberText, other_text_is_no_number) {
  for (const char* text :
       {"", " ", "Hello World!", "1 2", "+-1", "++1", "1e", "0x10", "--1", "1,5"})
    EXPECT_EQ(error_text(real_from(text)), formatted("the text '{}' is no number", text));
  EXPECT_EQ(error_text(real_from(std::string(1000, 'a'))),
            formatted("the text '{}' is no number", std::string(32, 'a')));
  EXPECT_FALSE(real_from(std::string_view("1\0002", 3)));
}

}  // namespace
}  // namespace casemate::engine
