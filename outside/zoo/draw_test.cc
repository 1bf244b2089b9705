// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/draw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "outside/zoo/moments.h"

namespace casemate::zoo {
namespace {

std::vector<float> drawn(const NumberStream& numbers, const Draw& draw, size_t count) {
  std::vector<float> values(count);
  numbers.fill(draw, 0, values);
  return values;
}

Moments moments_of(std::span<const float> values) {
  double sum = 0;
  double square = 0;
  for (const double value : values) {
    sum += value;
    square += value * value;
  }
  const double mean = sum / static_cast<double>(values.size());
  return {mean, square / static_cast<double>(values.size()) - mean * mean};
}

// From the generator's reference implementation, seeded with 1234567.
TEST(Draw, bits_are_those_of_splitmix64) {
  const NumberStream numbers(1234567);
  EXPECT_EQ(numbers.bits(0), 6457827717110365317u);
  EXPECT_EQ(numbers.bits(1), 3203168211198807973u);
  EXPECT_EQ(numbers.bits(2), 9817491932198370423u);
  EXPECT_EQ(numbers.bits(3), 4593380528125082431u);
  EXPECT_EQ(numbers.bits(4), 16408922859458223821u);
}

TEST(Draw, values_have_the_moments_that_were_asked_for) {
  const auto values = drawn({7, "w"}, {3, 0.5}, 100000);
  const Moments moments = moments_of(values);
  EXPECT_NEAR(moments.mean, 3, 0.01);
  EXPECT_NEAR(moments.variance, 0.25, 0.005);
  for (const float value : values) ASSERT_LT(std::abs(value - 3), 3.5F * 0.5F);
}

TEST(Draw, a_centred_run_has_no_mean_of_its_own) {
  const auto values = drawn({7, "w"}, {0, 2, 50}, 5000);
  for (size_t run = 0; run < values.size(); run += 50)
    ASSERT_NEAR(moments_of(std::span(values).subspan(run, 50)).mean, 0, 1e-6);
  EXPECT_NEAR(moments_of(values).variance, 4, 0.2);
}

TEST(Draw, pieces_are_the_same_as_the_whole) {
  const NumberStream numbers(7, "w");
  for (const uint64_t run : {0u, 10u}) {
    const Draw draw{1, 2, run};
    const auto whole = drawn(numbers, draw, 100);
    std::vector<float> piece(30);
    numbers.fill(draw, 50, piece);
    EXPECT_TRUE(std::ranges::equal(piece, std::span(whole).subspan(50, 30)));
  }
}

TEST(Draw, seeds_and_names_are_streams_of_their_own) {
  const uint64_t bits = NumberStream(1, "a").bits(0);
  EXPECT_NE(bits, NumberStream(2, "a").bits(0));
  EXPECT_NE(bits, NumberStream(1, "b").bits(0));
  EXPECT_NE(bits, NumberStream(1, "a").bits(1));
}

// Half of a normal distribution: mean 1/sqrt(2 pi), mean square 1/2.
TEST(Moments, of_a_rectified_normal_are_known) {
  const Moments half = after([](double x) { return x < 0 ? 0.0 : x; }, {});
  EXPECT_NEAR(half.mean, 1 / std::sqrt(2 * M_PI), 1e-3);
  EXPECT_NEAR(half.square(), 0.5, 1e-3);
  const Moments same = after([](double x) { return x; }, {2, 3});
  EXPECT_NEAR(same.mean, 2, 1e-9);
  EXPECT_NEAR(same.variance, 3, 1e-3);
}

TEST(Moments, the_exponential_is_near_enough) {
  for (double x = -20; x <= 20; x += 0.37) EXPECT_NEAR(exponential(x) / std::exp(x), 1, 2e-3) << x;
}

}  // namespace
}  // namespace casemate::zoo
