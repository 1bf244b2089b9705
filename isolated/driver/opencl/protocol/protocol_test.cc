// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/protocol/protocol.h"

#include <gtest/gtest.h>

namespace casemate::opencl {
namespace {

constexpr uint64_t kHuge = ~uint64_t{0};

TEST(Protocol, a_message_is_read_as_it_was_written) {
  Launch run;
  run.command = {.queue = 1, .event = 2, .wait_count = 2, .waits = {7, 8}};
  run.kernel = 3;
  run.dimensions = 2;
  run.global = {4, 5, 6};
  const auto read = decode<Launch>(bytes_of(run));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->command.waits[1], 8u);
  EXPECT_EQ(read->global, (Triple{4, 5, 6}));
  EXPECT_FALSE(decode<Launch>(bytes_of(run).first(sizeof run - 1)));
}

TEST(Protocol, wait_lists_are_what_they_say) {
  Mark mark;
  mark.command.queue = 1;
  EXPECT_TRUE(decode<Mark>(bytes_of(mark)));
  mark.command.wait_count = 1;
  EXPECT_FALSE(decode<Mark>(bytes_of(mark))) << "0 is nobody's number";
  mark.command.waits[0] = 9;
  EXPECT_TRUE(decode<Mark>(bytes_of(mark)));
  mark.command.waits[1] = 9;
  EXPECT_FALSE(decode<Mark>(bytes_of(mark))) << "behind the list there is nothing";
  mark.command.wait_count = kWaitsMax + 1;
  EXPECT_FALSE(decode<Mark>(bytes_of(mark)));
}

TEST(Protocol, ranges_do_not_wrap) {
  EXPECT_TRUE(within(10, 6, 16));
  EXPECT_FALSE(within(10, 7, 16));
  EXPECT_FALSE(within(kHuge, 2, 16));
  EXPECT_FALSE(within(2, kHuge, 16));
  EXPECT_EQ(volume({2, 3, 4}, 8), 192u);
  EXPECT_FALSE(volume({kHuge, 2, 1}, 1));
  EXPECT_FALSE(volume({1u << 31, 1u << 31, 4}, 2));
}

TEST(Protocol, boxes_end_where_their_last_byte_is) {
  EXPECT_EQ(box_end({0, 0, 0}, {16, 4, 1}, 0, 0), 64u);
  EXPECT_EQ(box_end({1, 2, 3}, {4, 2, 2}, 10, 50), 4u * 50 + 3 * 10 + 5);
  EXPECT_FALSE(box_end({0, 0, 0}, {16, 4, 1}, 15, 0)) << "rows may not overlap";
  EXPECT_FALSE(box_end({0, 0, 0}, {16, 4, 2}, 16, 63)) << "nor slices";
  EXPECT_FALSE(box_end({0, 0, 0}, {0, 1, 1}, 0, 0));
  EXPECT_FALSE(box_end({0, kHuge, 0}, {1, 2, 1}, 1, 2));
  EXPECT_FALSE(box_end({0, 0, kHuge / 2}, {1, 1, 1}, 4, 4));
}

}  // namespace
}  // namespace casemate::opencl
