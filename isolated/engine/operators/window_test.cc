// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/window.h"

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Numbers64 = std::vector<int64_t>;

// A node with these attributes, as a function sees it.
struct Asked {
  explicit Asked(Attributes attributes, int since = 0)
      : node{.op = "Conv", .attributes = std::move(attributes), .since = since},
        computation(node, {}, host, Computation::Mode::kRun) {}
  TestHost host;
  Node node;
  Computation computation;
};

Result<Window> window(Attributes attributes, const Shape& input, const Numbers64& kernel) {
  const Asked asked(std::move(attributes));
  return window_of(asked.computation, input, kernel);
}

Result<Window> transposed(Attributes attributes, const Shape& input, const Numbers64& kernel,
                          int since = 0) {
  const Asked asked(std::move(attributes), since);
  return transposed_window_of(asked.computation, input, kernel);
}

std::string refusal(const Result<Window>& window) {
  return window ? "no error" : window.error().text;
}

TEST(Window, same_padding_puts_the_odd_cell_where_it_is_told) {
  const auto upper = window({{"auto_pad", "SAME_UPPER"}}, {1, 1, 5, 5}, {2, 3});
  ASSERT_TRUE(upper);
  EXPECT_EQ(upper->output_shape(1, 1), (Shape{1, 1, 5, 5}));
  EXPECT_EQ(upper->axes[0].pad_begin, 0);
  EXPECT_EQ(upper->axes[0].pad_end, 1);
  EXPECT_EQ(upper->axes[1].pad_begin, 1);
  const auto lower = window({{"auto_pad", "SAME_LOWER"}}, {1, 1, 5, 5}, {2, 3});
  EXPECT_EQ(lower->axes[0].pad_begin, 1);
  EXPECT_EQ(lower->axes[0].pad_end, 0);
  const auto strided =
      window({{"auto_pad", "SAME_UPPER"}, {"strides", Numbers64{3}}}, {1, 1, 8}, {2});
  EXPECT_EQ(strided->axes[0].output, 3);
}

TEST(Window, valid_padding_is_none_whatever_the_pads) {
  const auto valid = window({{"auto_pad", "VALID"}, {"pads", Numbers64{3, 3}}}, {1, 1, 8}, {3});
  EXPECT_EQ(valid->axes[0].output, 6);
  EXPECT_EQ(valid->axes[0].pad_end, 0);
}

TEST(Window, a_window_that_begins_behind_the_input_does_not_count) {
  const Attributes plain = {{"strides", Numbers64{2}}, {"ceil_mode", int64_t{1}}};
  EXPECT_EQ(window(plain, {1, 1, 4}, {3})->axes[0].output, 2);
  EXPECT_EQ(window(plain, {1, 1, 2}, {1})->axes[0].output, 1);
  const Attributes padded = {
      {"strides", Numbers64{4}}, {"pads", Numbers64{0, 2}}, {"ceil_mode", int64_t{1}}};
  EXPECT_EQ(window(padded, {1, 1, 4}, {2})->axes[0].output, 1);
}

TEST(Window, taps_and_positions_lie_on_the_input) {
  const auto found = window({{"strides", Numbers64{2}},
                             {"dilations", Numbers64{3}},
                             {"pads", Numbers64{5, 4}},
                             {"ceil_mode", int64_t{1}}},
                            {1, 1, 7}, {3});
  ASSERT_TRUE(found);
  const WindowAxis& axis = found->axes[0];
  for (int64_t position = 0; position < axis.output; ++position) {
    for (int64_t tap = 0; tap < axis.kernel; ++tap) {
      const int64_t cell = axis.cell(position, tap);
      const bool on_input = cell >= 0 && cell < axis.input;
      const Range taps = axis.taps(position);
      const Range positions = axis.positions(tap);
      EXPECT_EQ(on_input, tap >= taps.first && tap < taps.last);
      EXPECT_EQ(on_input, position >= positions.first && position < positions.last);
    }
  }
}

TEST(Window, six_dimensions_are_as_good_as_one) {
  const Shape input = {2, 3, 4, 4, 4, 4, 4, 4};
  const auto found = window({}, input, Numbers64(6, 2));
  EXPECT_EQ(found->output_shape(2, 5), (Shape{2, 5, 3, 3, 3, 3, 3, 3}));
}

TEST(Window, a_transposed_one_has_its_output_as_input) {
  const Attributes attributes = {{"strides", Numbers64{2}}, {"output_padding", Numbers64{1}}};
  const auto found = transposed(attributes, {1, 1, 3}, {3});
  EXPECT_EQ(found->axes[0].input, 8);
  EXPECT_EQ(found->axes[0].output, 3);
  EXPECT_EQ(transposed({{"auto_pad", "SAME_UPPER"}, {"strides", Numbers64{2}}}, {1, 1, 3}, {3})
                ->axes[0]
                .input,
            6);
}

TEST(Window, versions_differ_in_where_a_chosen_output_is_padded) {
  const auto begin = [](std::string automatic, int since) {
    const Attributes attributes = {{"output_shape", Numbers64{6}},
                                   {"strides", Numbers64{2}},
                                   {"auto_pad", std::move(automatic)}};
    return transposed(attributes, {1, 1, 3}, {3}, since)->axes[0].pad_begin;
  };
  EXPECT_EQ(begin("NOTSET", 11), 1);
  EXPECT_EQ(begin("SAME_UPPER", 11), 0);
  EXPECT_EQ(begin("NOTSET", 1), 0);
  EXPECT_EQ(begin("SAME_UPPER", 1), 1);
}

TEST(Window, numbers_that_make_no_window_are_refused) {
  const Shape input = {1, 1, 4};
  constexpr int64_t kHuge = INT64_MAX;
  EXPECT_EQ(refusal(window({{"strides", Numbers64{0}}}, input, {2})),
            "attribute 'strides' has the value 0, expected 1 to 2^30");
  EXPECT_EQ(refusal(window({{"dilations", Numbers64{kHuge}}}, input, {2})),
            "attribute 'dilations' has the value 9223372036854775807, expected 1 to 2^30");
  EXPECT_EQ(refusal(window({{"pads", Numbers64{-1, 0}}}, input, {2})),
            "attribute 'pads' has the value -1, expected 0 to 2^30");
  EXPECT_EQ(refusal(window({{"pads", Numbers64{1}}}, input, {2})),
            "attribute 'pads' has 1 values, it needs 2");
  EXPECT_EQ(refusal(window({{"auto_pad", "SOME"}}, input, {2})),
            "attribute 'auto_pad' is 'SOME', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID");
  EXPECT_EQ(refusal(window({}, input, {5})),
            "its kernel reaches over 5 cells of dimension 2, the padded input has 4");
  EXPECT_EQ(refusal(window({}, input, {0})), "its kernel has the extent 0, expected 1 to 2^30");
  EXPECT_EQ(refusal(window({}, {4, 4}, {})), "its input [4,4] is no image [N,C,...]");
}

TEST(Window, the_largest_numbers_do_not_overflow) {
  constexpr int64_t kMost = 1 << 30;
  const Attributes attributes = {{"strides", Numbers64{kMost}},
                                 {"dilations", Numbers64{kMost}},
                                 {"pads", Numbers64{kMost, kMost}}};
  EXPECT_FALSE(window(attributes, {0, 1, int64_t{1} << 59}, {kMost}));
  EXPECT_TRUE(window(attributes, {0, 1, int64_t{1} << 62}, {kMost}));
  EXPECT_TRUE(transposed(attributes, {0, 1, kMost}, {kMost}));
  EXPECT_FALSE(transposed(attributes, {0, 1, kMost + 1}, {kMost}));
}

TEST(Window, transposed_numbers_that_make_no_output_are_refused) {
  const Shape input = {1, 1, 3};
  EXPECT_EQ(refusal(transposed({{"output_padding", Numbers64{1}}}, input, {3})),
            "attribute 'output_padding' has the value 1, expected less than the stride 1 or the "
            "dilation 1");
  EXPECT_EQ(refusal(transposed({{"pads", Numbers64{4, 4}}}, input, {3})),
            "its pads 4 and 4 are wider than dimension 2 of its output");
}

}  // namespace
}  // namespace casemate::engine
