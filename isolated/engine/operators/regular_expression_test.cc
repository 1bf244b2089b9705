// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/regular_expression.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  const auto expression = RegularExpression::make(pattern);
  EXPECT_TRUE(expression) << (expression ? "" : expression.error().text);
  return expression && expression->matches(text);
}

std::string refusal(std::string_view pattern) {
  const auto expression = RegularExpression::make(pattern);
  return expression ? "no error" : expression.error().text;
}

TEST(RegularExpression, is_of_the_whole_text) {
  EXPECT_TRUE(matches("abc", "abc"));
  EXPECT_FALSE(matches("abc", "abcd"));
  EXPECT_FALSE(matches("abc", "xabc"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("a|ab|", "ab"));
  EXPECT_TRUE(matches("a|ab|", ""));
  EXPECT_TRUE(matches("(?:foo|(bar))(?P<name>baz)?(?<other>x)", "barx"));
}

TEST(RegularExpression, repeats_within_bounds) {
  for (const std::string_view text : {"aa", "aaa", "aaaa"}) EXPECT_TRUE(matches("a{2,4}?", text));
  EXPECT_FALSE(matches("a{2,4}", "a"));
  EXPECT_FALSE(matches("a{2,4}", "aaaaa"));
  EXPECT_TRUE(matches("(ab){2}", "abab"));
  EXPECT_TRUE(matches("a{3,}b*c+d?", "aaaacc"));
  EXPECT_TRUE(matches("xa{0}y", "xy"));
  EXPECT_TRUE(matches("a{,2}{", "a{,2}{"));
  EXPECT_TRUE(matches("(|a)*(a*)*b", "aaab"));
}

TEST(RegularExpression, knows_classes_of_letters) {
  EXPECT_TRUE(matches(R"([a-c\d_.-]+)", "b7_.-"));
  EXPECT_FALSE(matches("[^a-c]", "b"));
  EXPECT_TRUE(matches("[]a]+", "]a"));
  EXPECT_TRUE(matches("[^]a]", "b"));
  EXPECT_TRUE(matches("[[:alpha:][:^upper:]]+", "aB3"));
  EXPECT_TRUE(matches(R"(\w\W\d\D\s\S)", "a-1x y"));
  EXPECT_TRUE(matches(R"([\D]+[\t-\r]\x41\x{20AC})", "ab\nA\u20ac"));
  EXPECT_FALSE(matches(".", "\n"));
  EXPECT_TRUE(matches("(?s).", "\n"));
  EXPECT_TRUE(matches(".", "\u20ac"));
  EXPECT_FALSE(matches(".", "\xff"));
}

TEST(RegularExpression, knows_places_and_flags) {
  EXPECT_TRUE(matches(R"(\b\Aa+\b-\Bx?)", "aa-"));
  EXPECT_TRUE(matches("(?m)a$\n^b", "a\nb"));
  EXPECT_FALSE(matches("a$\n^b", "a\nb"));
  EXPECT_TRUE(matches("(?i)stra\u00dfe\u00c9", "STRA\u00dfE\u00e9"));
  EXPECT_TRUE(matches("a(?i:b)c(?i)d(?-i)e", "aBcDe"));
  EXPECT_FALSE(matches("a(?i:b)c", "abC"));
  EXPECT_TRUE(matches("(?i)[^a]", "b"));
  EXPECT_FALSE(matches("(?i)[^a]", "A"));
}

TEST(RegularExpression, takes_no_longer_for_patterns_that_could_go_back) {
  EXPECT_FALSE(matches("(a*)*b", std::string(20'000, 'a')));
  EXPECT_FALSE(matches("(a|aa)+$b", std::string(20'000, 'a')));
  EXPECT_FALSE(matches("a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?b", std::string(20'000, 'a')));
}

TEST(RegularExpression, what_is_wrong_is_said_where) {
  EXPECT_EQ(refusal("a("), "its pattern has a '(' that is not closed, at letter 2");
  EXPECT_EQ(refusal("a)"), "its pattern has a ')' that closes no group, at letter 1");
  EXPECT_EQ(refusal("*a"), "its pattern has a repetition of nothing, at letter 1");
  EXPECT_EQ(refusal("a**"), "its pattern has a repetition of a repetition, at letter 3");
  EXPECT_EQ(refusal("[b-a]"),
            "its pattern has a range whose end is before its beginning, at letter 4");
  EXPECT_EQ(refusal("[a"), "its pattern has a '[' that is not closed, at letter 2");
  EXPECT_EQ(refusal("a{5,2}"),
            "its pattern has a repetition whose end is before its beginning, at letter 6");
  EXPECT_EQ(refusal("a{1001}"), "its pattern has a repetition of more than 1000, at letter 5");
  EXPECT_EQ(refusal(R"((a)\1)"), "its pattern has \\1, which is not understood, at letter 4");
  EXPECT_EQ(refusal(R"(\pL)"), "its pattern has \\p, which is not understood, at letter 1");
  EXPECT_EQ(refusal("a\\"), "its pattern has a '\\' at its end, at letter 2");
  EXPECT_EQ(refusal("(?z)"), "its pattern has a flag that is none, at letter 2");
  EXPECT_EQ(refusal("(?=a)"), "its pattern has a flag that is none, at letter 2");
  EXPECT_EQ(refusal("[[:thing:]]"),
            "its pattern has a class of that name, which there is not, at letter 3");
  EXPECT_EQ(refusal("\xff"), "its pattern is no UTF-8");
}

TEST(RegularExpression, patterns_that_explode_are_refused) {
  EXPECT_EQ(refusal("((((a{1000}){1000}){1000}){1000})"), "its pattern has too many repetitions");
  EXPECT_EQ(refusal("(((((){1000}){1000}){1000}){1000})"), "its pattern has too many repetitions");
  EXPECT_EQ(refusal(std::string(1 << 16, '(')),
            "its pattern has groups in too many groups, at letter 100");
  EXPECT_EQ(refusal(std::string(1 << 16, 'a')), "its pattern has too many repetitions");
  EXPECT_EQ(refusal(std::string(1 << 20, 'a')), "its pattern is longer than 65536 letters");
}

}  // namespace
}  // namespace casemate::engine
