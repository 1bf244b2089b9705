// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/name_text.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

TEST(NameText, leaves_names_in_any_language_as_they_are) {
  for (const char* name : {"", "conv1/bias:0", "größe", "слой", "畳み込み_3", "\U0001F600"})
    EXPECT_EQ(name_text(name), name);
  const std::string longest(kNameTextMax, 'n');
  EXPECT_EQ(name_text(longest), longest);
}

TEST(NameText, has_question_marks_for_controls_and_for_broken_utf8) {
  EXPECT_EQ(name_text(std::string_view("a\0b\x7f", 4)), "a?b?");
  EXPECT_EQ(name_text("\x1b[2J\r\n"), "?[2J??");
  EXPECT_EQ(name_text("\xc2\x9b"
                      "31m"),
            "?31m")
      << "a control of C1";
  EXPECT_EQ(name_text("a\u202eb\u2066c\u2028"), "a?b?c?") << "the direction and the line turn";
  EXPECT_EQ(name_text("\xff\xc3x"), "??x");
  EXPECT_EQ(name_text("\xc0\xaf"), "??") << "longer than it needs";
  EXPECT_EQ(name_text("\xe0\x80\xaf"), "???");
  EXPECT_EQ(name_text("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(name_text("\xf4\x90\x80\x80"), "????") << "beyond Unicode";
  EXPECT_EQ(name_text("a\xe7\x95"), "a??") << "ends inside of a character";
}

TEST(NameText, keeps_the_beginning_and_the_end_of_what_is_long) {
  const std::string shown = name_text("first" + std::string(64 << 10, 'n') + "last");
  EXPECT_LE(shown.size(), kNameTextMax);
  EXPECT_GT(shown.size(), kNameTextMax - 4);
  EXPECT_TRUE(shown.starts_with("firstn"));
  EXPECT_TRUE(shown.ends_with("nlast"));
  EXPECT_NE(shown.find("n...n"), std::string::npos);
}

TEST(NameText, cuts_no_character_in_two) {
  std::string faces;
  for (int i = 0; i < 100; ++i) faces += "\U0001F600";
  for (const char* before : {"", "a", "aa", "aaa"}) {
    for (const char* behind : {"", "z", "zz", "zzz"}) {
      const std::string shown = name_text(before + faces + behind);
      EXPECT_LE(shown.size(), kNameTextMax);
      EXPECT_EQ(shown.find('?'), std::string::npos) << shown;
    }
  }
}

}  // namespace
}  // namespace casemate::engine
