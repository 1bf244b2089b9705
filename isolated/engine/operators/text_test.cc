// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Texts = std::vector<std::string>;

Tensor texts(const Shape& shape, Texts values) { return *Tensor::make(shape, std::move(values)); }

TEST(StringNormalizer, drops_words_and_changes_case) {
  const Tensor x = texts({1, 3}, {"Monday", "tuesday", "\u00c9t\u00e9"});
  const Attributes attributes = {{"case_change_action", "UPPER"}, {"stopwords", Texts{"monday"}}};
  const auto y = run_node({"StringNormalizer", attributes, {x}});
  EXPECT_EQ(values_of<std::string>(y), (Texts{"TUESDAY", "\u00c9T\u00c9"}));
  EXPECT_EQ((*y)[0].tensor()->shape(), (Shape{1, 2}));
  auto exact = attributes;
  exact.set("is_case_sensitive", int64_t{1});
  exact.set("case_change_action", "LOWER");
  EXPECT_EQ(values_of<std::string>(run_node({"StringNormalizer", exact, {x}})),
            (Texts{"monday", "tuesday", "\u00e9t\u00e9"}));
  EXPECT_EQ(values_of<std::string>(run_node({"StringNormalizer", {}, {x}})),
            (Texts{"Monday", "tuesday", "\u00c9t\u00e9"}));
}

TEST(StringNormalizer, of_dropped_words_alone_is_one_empty_text) {
  const Attributes attributes = {{"stopwords", Texts{"a"}}};
  const auto y = run_node({"StringNormalizer", attributes, {texts({2}, {"a", "A"})}});
  EXPECT_EQ(values_of<std::string>(y), Texts{""});
  EXPECT_EQ(values_of<std::string>(run_node({"StringNormalizer", {}, {texts({0}, {})}})),
            Texts{""});
}

TEST(StringNormalizer, what_it_cannot_take_is_refused) {
  EXPECT_EQ(error_of(run_node({"StringNormalizer", {}, {texts({2, 1}, {"a", "b"})}})),
            "its input [2,1] needs the shape [C] or [1,C]");
  EXPECT_EQ(error_of(run_node({"StringNormalizer", {}, {texts({1}, {"\xff"})}})),
            "one of its texts is no UTF-8");
  const Attributes wrong = {{"case_change_action", "TITLE"}};
  EXPECT_EQ(error_of(run_node({"StringNormalizer", wrong, {texts({1}, {"a"})}})),
            "attribute 'case_change_action' is 'TITLE', expected LOWER, UPPER or NONE");
}

TEST(StringConcat, broadcasts_both_sides) {
  const Tensor a = texts({2, 1}, {"a", "b"});
  const Tensor b = texts({3}, {"1", "", "3"});
  EXPECT_EQ(values_of<std::string>(run_node({"StringConcat", {}, {a, b}})),
            (Texts{"a1", "a", "a3", "b1", "b", "b3"}));
  EXPECT_EQ(
      values_of<std::string>(run_node({"StringConcat", {}, {texts({}, {"x"}), texts({}, {"y"})}})),
      Texts{"xy"});
  EXPECT_EQ(error_of(run_node({"StringConcat", {}, {texts({2}, {"a", "b"}), b}})),
            "its operands have the shapes [2] and [3], which cannot be broadcast to each other");
}

TEST(StringConcat, few_long_texts_do_not_make_too_many) {
  const Tensor long_text = texts({1, 1}, {std::string(1 << 20, 'x')});
  EXPECT_EQ(error_of(run_node({"StringConcat", {}, {long_text, texts({100}, Texts(100))}})),
            "more than a test may have");
}

TEST(StringSplit, splits_at_a_delimiter_or_at_space) {
  const auto y =
      run_node({"StringSplit", {{"delimiter", "--"}}, {texts({2}, {"a--b----", ""})}, 2});
  EXPECT_EQ(values_of<std::string>(y), (Texts{"a", "b", "", "", "", "", "", ""}));
  EXPECT_EQ(values_of<int64_t>(y, 1), (std::vector<int64_t>{4, 1}));
  const auto spaces = run_node({"StringSplit", {}, {texts({2}, {" a \t b ", " "})}, 2});
  EXPECT_EQ(values_of<std::string>(spaces), (Texts{"a", "b", "", ""}));
  EXPECT_EQ(values_of<int64_t>(spaces, 1), (std::vector<int64_t>{2, 0}));
}

TEST(StringSplit, stops_after_so_many_splits) {
  const Tensor x = texts({1}, {" a  b c "});
  const auto once = run_node({"StringSplit", {{"maxsplit", int64_t{1}}}, {x}});
  EXPECT_EQ(values_of<std::string>(once), (Texts{"a", "b c "}));
  const auto at = run_node({"StringSplit", {{"maxsplit", int64_t{2}}, {"delimiter", " "}}, {x}});
  EXPECT_EQ(values_of<std::string>(at), (Texts{"", "a", " b c "}));
  const auto never = run_node({"StringSplit", {{"maxsplit", int64_t{0}}}, {x}});
  EXPECT_EQ(values_of<std::string>(never), Texts{"a  b c "});
}

TEST(StringSplit, of_nothing_has_no_parts) {
  const auto y = run_node({"StringSplit", {}, {texts({2, 0}, {})}, 2});
  EXPECT_EQ((*y)[0].tensor()->shape(), (Shape{2, 0, 0}));
  EXPECT_EQ((*y)[1].tensor()->shape(), (Shape{2, 0}));
}

TEST(StringSplit, more_parts_than_a_tensor_holds_are_refused) {
  // One long row, and as many that are as wide as it.
  Texts many(1 << 13, "a");
  many[0] = std::string(1 << 13, ',');
  EXPECT_EQ(error_of(run_node({"StringSplit", {{"delimiter", ","}}, {texts({1 << 13}, many)}})),
            "more than a test may have");
  EXPECT_EQ(error_of(run_node({"StringSplit", {}, {texts({1, 1, 1, 1, 1, 1, 1, 1}, {"a"})}})),
            "its output would have 9 dimensions, 8 are allowed");
}

TEST(RegexFullMatch, tells_of_each_text) {
  const Tensor x = texts({2, 1}, {"www.google.com", "www.bbc.co.uk"});
  const auto y = run_node({"RegexFullMatch", {{"pattern", R"(www\.[\w.-]+\.\bcom\b)"}}, {x}});
  EXPECT_EQ(values_of<bool>(y), (std::vector<bool>{true, false}));
  EXPECT_EQ(error_of(run_node({"RegexFullMatch", {}, {x}})), "attribute 'pattern' is missing");
  EXPECT_EQ(error_of(run_node({"RegexFullMatch", {{"pattern", "("}}, {x}})),
            "its pattern has a '(' that is not closed, at letter 1");
}

}  // namespace
}  // namespace casemate::engine
