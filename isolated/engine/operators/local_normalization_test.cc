// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

TEST(Lrn, elements_are_divided_by_those_in_neighbouring_channels) {
  const Tensor x = Tensor::of<float>({1, 4, 1}, {1, 2, 3, 4});
  const Attributes attributes = {{"size", int64_t{3}}, {"alpha", 0.9F}, {"beta", 0.5F}};
  expect_near(run_node({"LRN", attributes, {x}}), {0.6324555, 0.8770580, 0.9632419, 1.3719887});
}

TEST(Lrn, windows_of_any_size_are_what_adding_one_by_one_gives) {
  constexpr int64_t kChannels = 7;
  constexpr int64_t kPlaces = 19;
  const Tensor x = counting<double>({2, kChannels, kPlaces});
  for (const int64_t size : {1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 40}) {
    std::vector<double> wanted;
    for (int64_t i = 0; i < 2 * kChannels * kPlaces; ++i) {
      const int64_t channel = i / kPlaces % kChannels;
      double sum = 0;
      for (int64_t other = 0; other < kChannels; ++other) {
        const int64_t ahead = other - channel;
        if (ahead < -((size - 1) / 2) || ahead > size / 2) continue;
        const auto value = static_cast<double>(i + ahead * kPlaces);
        sum += value * value;
      }
      wanted.push_back(static_cast<double>(i) / (1 + 0.5 / static_cast<double>(size) * sum));
    }
    const Attributes attributes = {{"size", size}, {"alpha", 0.5F}, {"beta", 1.0F}};
    expect_near<double>(run_node({"LRN", attributes, {x}}), wanted, 1e-9);
  }
}

TEST(Lrn, sizes_below_one_are_refused_and_large_ones_are_not) {
  const Tensor x = counting({1, 2, 2});
  EXPECT_EQ(error_of(run_node({"LRN", {{"size", int64_t{0}}}, {x}})),
            "its size is 0, it takes at least 1");
  EXPECT_EQ(error_of(run_node({"LRN", {}, {x}})), "its size is 0, it takes at least 1");
  const Attributes huge = {{"size", std::numeric_limits<int64_t>::max()}};
  EXPECT_EQ(shape_made(run_node({"LRN", huge, {x}})), (Shape{1, 2, 2}));
  EXPECT_EQ(error_of(run_node({"LRN", huge, {counting({2})}})),
            "axis 1 is none of a tensor of rank 1");
}

TEST(LpNormalization, lengths_become_one) {
  const Tensor x = Tensor::of<float>({2, 2}, {3, -4, 6, 8});
  expect_near(run_node({"LpNormalization", {}, {x}}), {0.6, -0.8, 0.6, 0.8});
  const Attributes first = {{"axis", int64_t{0}}, {"p", int64_t{1}}};
  expect_near(run_node({"LpNormalization", first, {x}}), {3.0 / 9, -4.0 / 12, 6.0 / 9, 8.0 / 12});
}

TEST(LpNormalization, nothing_but_zeros_stays) {
  expect_near(run_node({"LpNormalization", {}, {Tensor::of<float>({2}, {0, 0})}}), {0, 0});
  EXPECT_EQ(error_of(run_node({"LpNormalization", {{"p", int64_t{3}}}, {counting({2})}})),
            "its p is 3, it takes 1 or 2");
}

}  // namespace
}  // namespace casemate::engine
