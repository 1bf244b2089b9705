// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/reader.h"

#include <gtest/gtest.h>

namespace casemate::verify {
namespace {

TEST(ByteReader, takes_fields_in_their_order_and_says_when_all_is_read) {
  const std::vector<uint8_t> data = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
  ByteReader reader(data);
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_EQ(reader.u16(), 0x0302);
  EXPECT_EQ(reader.u32(), 0x07060504u);
  EXPECT_EQ(reader.u64(), 0x0f0e0d0c0b0a0908u);
  EXPECT_EQ(reader.array<2>(), (ByteArray<2>{16, 17}));
  EXPECT_FALSE(reader.finished());
  EXPECT_EQ(reader.rest().size(), 1u);
  reader.skip(1);
  EXPECT_TRUE(reader.finished());
}

TEST(ByteReader, yields_zeros_for_good_once_a_field_does_not_fit) {
  const std::vector<uint8_t> data = {1, 2, 3};
  ByteReader reader(data);
  EXPECT_EQ(reader.u16(), 0x0201);
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.offset(), 2u);
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_TRUE(reader.bytes(SIZE_MAX).empty());
  EXPECT_EQ(reader.array<4>(), ByteArray<4>{});
  EXPECT_FALSE(reader.finished());
}

}  // namespace
}  // namespace casemate::verify
