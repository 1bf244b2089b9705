// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/narrow_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace casemate::engine {
namespace {

template <class T>
uint16_t bits_of(T x) {
  return std::bit_cast<uint16_t>(x);
}

// The conversion of the language, which is the library's.
template <class T>
void expect_narrow(float x) {
  const T have = narrow_float<T>(x);
  const T want = static_cast<T>(x);
  if (std::isnan(x)) {
    ASSERT_TRUE(std::isnan(wide_float(have)));
  } else {
    ASSERT_EQ(bits_of(have), bits_of(want)) << x;
  }
}

template <class T>
void expect_all() {
  for (uint32_t bits = 0; bits < 1u << 16; ++bits) {
    const auto x = std::bit_cast<T>(static_cast<uint16_t>(bits));
    const float wide = wide_float(x);
    if (std::isnan(static_cast<float>(x))) {
      ASSERT_TRUE(std::isnan(wide)) << bits;
      continue;
    }
    ASSERT_EQ(std::bit_cast<uint32_t>(wide), std::bit_cast<uint32_t>(static_cast<float>(x)));
    ASSERT_EQ(bits_of(narrow_float<T>(wide)), bits);
    // What lies halfway to the next one, and beside that.
    if (std::isinf(wide)) continue;
    const auto next = std::bit_cast<T>(static_cast<uint16_t>(bits + 1));
    const float tie = wide / 2 + static_cast<float>(next) / 2;
    for (const float near : {tie, std::nextafter(tie, 0.0F), std::nextafter(tie, wide * 4)})
      expect_narrow<T>(near);
  }
}

TEST(NarrowFloat, every_float16_becomes_the_float_that_it_is) { expect_all<Float16>(); }

TEST(NarrowFloat, every_bfloat16_becomes_the_float_that_it_is) { expect_all<Bfloat16>(); }

TEST(NarrowFloat, floats_of_all_sizes_are_rounded_as_the_library_does) {
  // Each 4099th float: all exponents, and about 2000 fractions of each.
  for (uint64_t bits = 0; bits < 1ull << 32; bits += 4099) {
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    expect_narrow<Float16>(x);
    expect_narrow<Bfloat16>(x);
  }
  for (const float x : {65504.0F, 65519.0F, 65520.0F, 65536.0F, 0x1p-24F, 0x1p-25F, 0x1.8p-25F,
                        std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(),
                        std::numeric_limits<float>::infinity()}) {
    for (const float y : {x, -x}) {
      expect_narrow<Float16>(y);
      expect_narrow<Bfloat16>(y);
    }
  }
}

}  // namespace
}  // namespace casemate::engine
