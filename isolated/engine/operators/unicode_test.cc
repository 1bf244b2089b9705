// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/unicode.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

TEST(Unicode, code_points_come_and_go) {
  const std::string text = "a\u00e9\u20ac\U0001f600";
  const auto points = code_points(text);
  ASSERT_TRUE(points);
  EXPECT_EQ(*points, U"a\u00e9\u20ac\U0001f600");
  EXPECT_EQ(utf8(*points), text);
}

TEST(Unicode, what_is_no_utf8_has_no_code_points) {
  for (const char* wrong : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xe2\x28\xa1"})
    EXPECT_FALSE(code_points(wrong)) << wrong;
}

TEST(Unicode, letters_have_their_case_everywhere) {
  for (const auto& [upper, lower] :
       {std::pair(U'A', U'a'), std::pair(U'\u00c9', U'\u00e9'), std::pair(U'\u0110', U'\u0111'),
        std::pair(U'\u0416', U'\u0436'), std::pair(U'\u03a9', U'\u03c9'),
        std::pair(U'\U00010400', U'\U00010428')}) {
    EXPECT_EQ(lower_case(upper), lower);
    EXPECT_EQ(upper_case(lower), upper);
    EXPECT_EQ(lower_case(lower), lower);
  }
  EXPECT_EQ(upper_case(U'\u00df'), U'\u00df');  // two letters are no case of one
  EXPECT_EQ(lower_case(U'\u4e2d'), U'\u4e2d');
  EXPECT_EQ(lower_case(0x10FFFF), 0x10FFFFU);
}

}  // namespace
}  // namespace casemate::engine
