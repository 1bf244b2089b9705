// SPDX-License-Identifier: Apache-2.0
#include "base/mapping.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/memory_file.h"

namespace casemate {
namespace {

constexpr size_t kSize = 64 << 10;

bool all(const Mapping& mapping, uint8_t byte) {
  return std::ranges::all_of(mapping.bytes(), [=](uint8_t b) { return b == byte; });
}

TEST(Mapping, reads_released_pages_from_the_file_again) {
  const Fd file = *make_memory_file("casemate-mapping-test");
  ASSERT_EQ(::ftruncate(file.number(), kSize), 0);
  const Mapping mapping = *Mapping::shared(file.number(), kSize);
  std::ranges::fill(mapping.bytes(), uint8_t{7});
  mapping.release(mapping.bytes());
  mapping.release(mapping.bytes().subspan(100, 9000));
  mapping.release(mapping.bytes().subspan(100, 0));
  EXPECT_TRUE(all(mapping, 7));
}

TEST(Mapping, keeps_pages_that_are_in_no_file) {
  const Mapping mapping = *Mapping::anonymous(kSize);
  std::ranges::fill(mapping.bytes(), uint8_t{7});
  mapping.release(mapping.bytes());
  EXPECT_TRUE(all(mapping, 7));
}

TEST(MappingDeathTest, releases_nothing_beyond_itself) {
  const Fd file = *make_memory_file("casemate-mapping-test");
  ASSERT_EQ(::ftruncate(file.number(), kSize), 0);
  const Mapping mapping = *Mapping::shared(file.number(), kSize);
  EXPECT_DEATH(mapping.release({mapping.data() + kSize, 1}), "lies in the mapping");
}

}  // namespace
}  // namespace casemate
