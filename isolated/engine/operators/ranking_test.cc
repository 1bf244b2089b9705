// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

using Longs = std::vector<int64_t>;

Tensor one(int64_t value) { return Tensor::of<int64_t>({1}, {value}); }

TEST(Ranking, the_first_of_equals_is_found_unless_the_last_is_asked_for) {
  const Tensor x = Tensor::of<float>({2, 3}, {2, 2, 1, 3, 10, 10});
  const Attributes rows = {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}};
  EXPECT_EQ(values_of<int64_t>(run_node({"ArgMax", rows, {x}})), (Longs{0, 1}));
  Attributes last = rows;
  last.set("select_last_index", int64_t{1});
  EXPECT_EQ(values_of<int64_t>(run_node({"ArgMax", last, {x}})), (Longs{1, 2}));
  // An attribute that the version does not know counts for nothing.
  EXPECT_EQ(values_of<int64_t>(
                run_node({.op = "ArgMax", .attributes = last, .inputs = {x}, .since = 11})),
            (Longs{0, 1}));
  const auto columns = run_node({"ArgMin", {}, {x}});
  EXPECT_EQ(values_of<int64_t>(columns), (Longs{0, 0, 0}));
  EXPECT_EQ(shape_made(columns), (Shape{1, 3}));
}

TEST(Ranking, what_is_no_number_is_found_first) {
  const Tensor x = Tensor::of<float>({4}, {1, NAN, 5, NAN});
  EXPECT_EQ(values_of<int64_t>(run_node({"ArgMax", {}, {x}})), (Longs{1}));
  EXPECT_EQ(values_of<int64_t>(run_node({"ArgMin", {}, {x}})), (Longs{1}));
  const Attributes last = {{"select_last_index", int64_t{1}}};
  EXPECT_EQ(values_of<int64_t>(run_node({"ArgMax", last, {x}})), (Longs{3}));
}

TEST(Ranking, there_is_no_greatest_of_nothing) {
  const Tensor x = Tensor::of<float>({2, 0}, {});
  EXPECT_EQ(error_of(run_node({"ArgMax", {{"axis", int64_t{1}}}, {x}})),
            "it chooses along axis 1 of shape [2,0], where there is no element");
  EXPECT_EQ(values_of<int64_t>(run_node({"ArgMax", {}, {x}})), Longs{});
  EXPECT_EQ(error_of(run_node({"ArgMin", {{"axis", int64_t{-3}}}, {x}})),
            "axis -3 is none of a tensor of rank 2");
}

TEST(TopK, elements_are_sorted_and_equals_stay_in_order) {
  const Tensor x = Tensor::of<float>({2, 4}, {0, 3, 3, 1, 7, 5, 6, 7});
  const auto top = run_node({.op = "TopK", .inputs = {x, one(3)}, .output_count = 2});
  EXPECT_EQ(values_of<float>(top), (std::vector<float>{3, 3, 1, 7, 7, 6}));
  EXPECT_EQ(values_of<int64_t>(top, 1), (Longs{1, 2, 3, 0, 3, 2}));
  const auto least = run_node({.op = "TopK",
                               .attributes = {{"largest", int64_t{0}}, {"axis", int64_t{0}}},
                               .inputs = {x, one(1)},
                               .output_count = 2});
  EXPECT_EQ(values_of<float>(least), (std::vector<float>{0, 3, 3, 1}));
  EXPECT_EQ(values_of<int64_t>(least, 1), (Longs{0, 0, 0, 0}));
  EXPECT_EQ(shape_made(least, 1), (Shape{1, 4}));
}

TEST(TopK, what_is_no_number_is_the_greatest) {
  const Tensor x = Tensor::of<float>({4}, {1, NAN, 5, -1});
  const auto top = run_node({.op = "TopK", .inputs = {x, one(2)}, .output_count = 2});
  EXPECT_EQ(values_of<int64_t>(top, 1), (Longs{1, 2}));
  const Attributes least = {{"largest", int64_t{0}}};
  const auto all =
      run_node({.op = "TopK", .attributes = least, .inputs = {x, one(4)}, .output_count = 2});
  EXPECT_EQ(values_of<int64_t>(all, 1), (Longs{3, 0, 2, 1}));
}

TEST(TopK, the_oldest_version_has_its_count_as_an_attribute) {
  const Tensor x = Tensor::of<double>({3}, {1, 2, 3});
  const auto top = run_node({.op = "TopK",
                             .attributes = {{"k", int64_t{1}}},
                             .inputs = {x},
                             .output_count = 2,
                             .since = 1});
  EXPECT_EQ(values_of<double>(top), (std::vector<double>{3}));
}

TEST(TopK, counts_beyond_the_axis_are_refused) {
  const Tensor x = counting({3});
  const auto top = [&](int64_t k) {
    return run_node({.op = "TopK", .inputs = {x, one(k)}, .output_count = 2});
  };
  EXPECT_EQ(error_of(top(4)), "it asks for 4 elements of the 3 along axis 0");
  EXPECT_EQ(error_of(top(-1)), "it asks for -1 elements of the 3 along axis 0");
  EXPECT_EQ(values_of<float>(top(0)), std::vector<float>{});
}

TEST(TopK, its_shape_waits_for_its_count) {
  const NodeRun run{.op = "TopK", .inputs = {counting({3}), one(2)}, .output_count = 2};
  EXPECT_FALSE(foretell(run, {true, false}));
  EXPECT_EQ(foretell(run, {false, true})->at(1).shape, (Shape{2}));
}

}  // namespace
}  // namespace casemate::engine
