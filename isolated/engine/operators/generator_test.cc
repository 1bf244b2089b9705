// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/generator.h"

#include <gtest/gtest.h>

#include <limits>

namespace casemate::engine {
namespace {

double first_of(Attributes attributes, std::string name = {}) {
  const Node node{.name = std::move(name), .attributes = std::move(attributes)};
  return Generator(node).uniform();
}

// numpy.random.RandomState(0): rand(3), and of a fresh one randn(3).
TEST(Generator, it_draws_what_numpy_draws) {
  Generator uniform(0);
  EXPECT_EQ(uniform.uniform(), 0.5488135039273248);
  EXPECT_EQ(uniform.uniform(), 0.7151893663724195);
  EXPECT_EQ(uniform.uniform(), 0.6027633760716439);
  Generator normal(0);
  EXPECT_NEAR(normal.normal(), 1.764052345967664, 1e-15);
  EXPECT_NEAR(normal.normal(), 0.4001572083672233, 1e-15);
  EXPECT_NEAR(normal.normal(), 0.9787379841057392, 1e-15);
}

TEST(Generator, a_seed_is_an_integer_or_a_real) {
  EXPECT_EQ(first_of({{"seed", int64_t{0}}}), 0.5488135039273248);
  EXPECT_EQ(first_of({{"seed", 0.0F}}), 0.5488135039273248);
  EXPECT_EQ(first_of({{"seed", int64_t{7}}}), first_of({{"seed", 7.9F}}));
}

TEST(Generator, without_a_seed_the_name_decides) {
  EXPECT_EQ(first_of({}, "a"), first_of({}, "a"));
  EXPECT_NE(first_of({}, "a"), first_of({}, "b"));
  // What is no number is no seed.
  for (const float seed :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e30F}) {
    EXPECT_EQ(first_of({{"seed", seed}}, "a"), first_of({}, "a"));
  }
}

}  // namespace
}  // namespace casemate::engine
