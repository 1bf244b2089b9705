// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/cbor.h"

#include <gtest/gtest.h>

namespace casemate::verify {
namespace {

// What skip() says to the item in `hex`, behind which one byte 0x05 stands: how long the item is.
std::string skipped(std::string_view hex) {
  const auto bytes = from_hex(std::string(hex) + "05");
  EXPECT_TRUE(bytes);
  CborReader reader(*bytes);
  const auto item = reader.skip("the item");
  if (!item) return "refused";
  EXPECT_EQ(*reader.integer("the byte behind"), 5);
  return std::to_string(item->size());
}

TEST(Cbor, items_of_every_kind_are_passed_over_with_all_that_is_in_them) {
  EXPECT_EQ(skipped("00"), "1");
  EXPECT_EQ(skipped("3903e7"), "3");
  EXPECT_EQ(skipped("43010203"), "4");
  EXPECT_EQ(skipped("6161"), "2");
  EXPECT_EQ(skipped("83014102820304"), "7");
  EXPECT_EQ(skipped("a201a1020304f5"), "7");
  EXPECT_EQ(skipped("d8208101"), "4");
  EXPECT_EQ(skipped("f93c00"), "3");
  EXPECT_EQ(skipped("fb3ff0000000000000"), "9");
}

TEST(Cbor, items_that_end_early_or_announce_too_much_are_not_passed_over) {
  EXPECT_EQ(skipped("8301"), "refused");                // takes the byte behind for its own
  EXPECT_EQ(skipped("9bffffffffffffffff"), "refused");  // an array
  EXPECT_EQ(skipped("bb7fffffffffffffff"), "refused");  // a map, whose double would overflow
  EXPECT_EQ(skipped("5bffffffffffffffff"), "refused");  // a byte string
  EXPECT_EQ(skipped("9f0102ff"), "refused");            // indefinite
  EXPECT_EQ(skipped("1800"), "refused");                // not the shortest head
  EXPECT_EQ(skipped("e0"), "refused");                  // a simple value that nobody defined
  EXPECT_EQ(skipped("f820"), "refused");
  EXPECT_EQ(skipped("fb3ff0"), "refused");
}

TEST(Cbor, depth_costs_nothing) {
  std::vector<uint8_t> deep(1 << 20, 0x81);
  deep.push_back(0);
  CborReader reader(deep);
  ASSERT_TRUE(reader.skip("the item"));
  EXPECT_TRUE(reader.end("the item"));
}

TEST(Cbor, numbers_beyond_what_is_meant_are_refused) {
  const auto number = [](std::string_view hex) {
    const auto bytes = from_hex(hex);
    return CborReader(*bytes).integer("the number");
  };
  EXPECT_EQ(*number("3822"), -35);
  EXPECT_EQ(*number("1b7fffffffffffffff"), INT64_MAX);
  EXPECT_EQ(*number("3b7fffffffffffffff"), INT64_MIN);
  EXPECT_FALSE(number("1b8000000000000000"));
  EXPECT_FALSE(number("3b8000000000000000"));
  EXPECT_FALSE(number("4105"));
}

}  // namespace
}  // namespace casemate::verify
