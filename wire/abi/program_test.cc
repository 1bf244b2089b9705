// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/program.h"

#include <gtest/gtest.h>

namespace casemate::program {
namespace {

TEST(Order, comes_back_as_it_was) {
  const Order order{.path = "/bin/program",
                    .words = {"program", "", "two words"},
                    .environment = {"A=1", "EMPTY="}};
  const auto bytes = encode(order);
  ASSERT_TRUE(bytes);
  const auto back = decode(*bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->path, order.path);
  EXPECT_EQ(back->words, order.words);
  EXPECT_EQ(back->environment, order.environment);
}

TEST(Order, cut_off_anywhere_is_refused) {
  const auto bytes = encode({.path = "/p", .words = {"p", "q"}, .environment = {"A=1"}});
  ASSERT_TRUE(bytes);
  for (size_t size = 0; size < bytes->size(); ++size)
    EXPECT_FALSE(decode(Bytes(*bytes).first(size))) << size;
}

TEST(Order, that_counts_what_is_not_there_or_nothing_at_all_is_refused) {
  auto bytes = *encode({.path = "/p", .words = {"p"}, .environment = {}});
  for (const uint32_t count : {0u, 2u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    std::ranges::copy(bytes_of(count), bytes.begin());
    EXPECT_FALSE(decode(bytes)) << count;
  }
}

TEST(Order, too_large_for_a_datagram_is_refused_with_its_size) {
  const auto bytes =
      encode({.path = "/p", .words = {std::string(Order::kBytesMax, 'x')}, .environment = {}});
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::kTooLarge);
  EXPECT_TRUE(bytes.error().text.contains("bytes of at most 65536")) << bytes.error().text;
}

}  // namespace
}  // namespace casemate::program
