// SPDX-License-Identifier: Apache-2.0
// The screen as a person sees it: what is drawn for a size is read back cell by cell.
#include "outside/top/view.h"

#include <gtest/gtest.h>

#include <ftxui/screen/screen.hpp>
#include <sstream>

#include "outside/top/made_up_system.h"

namespace casemate::top {
namespace {

using Key = View::Key;

struct Shown {
  std::vector<std::string> lines;
  std::string selected;  // the line that is drawn inverted, below the title
};

Shown shown(const View& view, int width, int height) {
  auto screen =
      ftxui::Screen::Create(ftxui::Dimension::Fixed(width), ftxui::Dimension::Fixed(height));
  ftxui::Render(screen, view.draw(width, height));
  Shown all;
  for (int y = 0; y < height; ++y) {
    std::string line;
    for (int x = 0; x < width; ++x) line += screen.at(x, y);
    line.resize(line.find_last_not_of(' ') + 1);
    if (y > 0 && screen.PixelAt(0, y).inverted) all.selected = line;
    all.lines.push_back(line);
  }
  return all;
}

std::string text_of(const Shown& all) {
  std::string text;
  for (const std::string& line : all.lines) text += line + "\n";
  return text;
}

View view_of(uint32_t models, const std::string& name = "model") {
  View view("1 s");
  const Look first = system_of(models, name);
  const Look second = later(first, 2);
  view.show(picture_of(second, &first), "14:03:22");
  return view;
}

TEST(View, of_two_models_on_a_terminal_of_80_by_24_has_all_of_them_and_says_what_keys_do) {
  const View view = view_of(2);
  const Shown all = shown(view, 80, 24);
  EXPECT_EQ(all.lines[0],
            " casemate top  3 of 3 enclaves run in 3 partitions, 300 requests/s     14:03:22");
  EXPECT_TRUE(all.lines[1].starts_with("ENCLAVE ")) << text_of(all);
  EXPECT_TRUE(all.lines[2].starts_with("gateway ")) << text_of(all);
  EXPECT_TRUE(all.lines[3].starts_with("model0/1 ")) << text_of(all);
  EXPECT_TRUE(all.lines[4].contains(" running    200 ")) << text_of(all);
  EXPECT_EQ(all.lines[23], "q quit   k kill   s sort (as listed)   arrows select");
  EXPECT_TRUE(all.selected.starts_with("gateway "));
}

TEST(View, of_more_than_the_terminal_has_lines_follows_the_selected_one) {
  View view = view_of(32);
  for (const auto& [key, row] :
       std::initializer_list<std::pair<Key, const char*>>{{Key::kDown, "model0/1 "},
                                                          {Key::kEnd, "model31/1 "},
                                                          {Key::kUp, "model30/1 "},
                                                          {Key::kPageUp, "model20/1 "},
                                                          {Key::kHome, "gateway "},
                                                          {Key::kUp, "gateway "}}) {
    view.press(key);
    EXPECT_TRUE(shown(view, 80, 24).selected.starts_with(row))
        << row << text_of(shown(view, 80, 24));
  }
}

TEST(View, keeps_the_selected_one_selected_when_rows_move) {
  View view = view_of(3);
  view.press(Key::kDown);
  ASSERT_TRUE(shown(view, 80, 24).selected.starts_with("model0/1 "));
  EXPECT_FALSE(view.press('s').quit);
  const Shown sorted = shown(view, 80, 24);
  EXPECT_TRUE(sorted.selected.starts_with("model0/1 ")) << text_of(sorted);
  EXPECT_TRUE(sorted.lines[5].starts_with("model0/1 ")) << "it has the fewest requests";
  EXPECT_TRUE(sorted.lines[23].contains("s sort (requests/s)"));
  view.press('s');
  EXPECT_TRUE(shown(view, 80, 24).lines[23].contains("s sort (restarts)"))
      << "not by latencies, of which there are none";
}

TEST(View, kills_nothing_without_asking_and_then_what_was_said) {
  View view = view_of(2);
  view.press(Key::kDown);
  EXPECT_FALSE(view.press('k').kill);
  EXPECT_EQ(shown(view, 80, 24).lines[23],
            "Kill model0/1? e: the enclave alone, p: all of partition model0, other keys: no");
  EXPECT_FALSE(view.press('x').kill);
  EXPECT_FALSE(view.press('e').kill) << "nobody asked";
  view.press('k');
  view.press(Key::kDown);
  EXPECT_FALSE(view.press('e').kill) << "another was selected meanwhile";
  view.press('k');
  const auto enclave = view.press('e').kill;
  ASSERT_TRUE(enclave);
  EXPECT_EQ(enclave->enclave, 102u);
  view.press('k');
  const auto partition = view.press('p').kill;
  ASSERT_TRUE(partition);
  EXPECT_EQ(partition->name, "model1");
  EXPECT_FALSE(partition->enclave);
  view.press('k');
  EXPECT_FALSE(view.press('q').quit) << "an answer, and a no";
  EXPECT_TRUE(view.press('q').quit);
}

TEST(View, of_a_system_that_does_not_answer_keeps_what_was_seen_and_says_so) {
  View view = view_of(2);
  view.complain({Code::kUnavailable, "/run/operator: the monitor\x1b[2J does not answer"});
  const Shown all = shown(view, 80, 24);
  EXPECT_TRUE(all.lines[0].ends_with("no answer")) << all.lines[0];
  EXPECT_TRUE(all.lines[3].starts_with("model0/1 "));
  EXPECT_EQ(all.lines[23], "/run/operator: the monitor?[2J does not answer");
  EXPECT_FALSE(view.press('k').kill || view.press('e').kill);
  const Look again = system_of(2);
  view.show(picture_of(again, nullptr), "14:03:30");
  EXPECT_TRUE(shown(view, 80, 24).lines[23].starts_with("q quit"));
}

TEST(View, before_the_first_look_and_of_any_size_is_drawn) {
  const View empty("1 s");
  EXPECT_TRUE(shown(empty, 80, 24).lines[0].contains("looking ..."));
  View many = view_of(32, "a-model-with-a-name-that-is-longer-than-most-");
  many.press(Key::kEnd);
  for (const int width : {1, 10, 20, 40, 60, 80, 120, 200}) {
    for (const int height : {1, 2, 3, 5, 10, 12, 24, 60}) shown(many, width, height);
  }
  const Shown narrow = shown(many, 60, 24);
  EXPECT_TRUE(narrow.selected.contains(" running ")) << text_of(narrow);
  const Shown wide = shown(many, 160, 60);
  EXPECT_TRUE(wide.selected.contains("a-model-with-a-name-that-is-longer-than-most-31/1 "))
      << text_of(wide);
}

}  // namespace
}  // namespace casemate::top
