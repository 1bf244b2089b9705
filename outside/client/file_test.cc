// SPDX-License-Identifier: Apache-2.0
#include "outside/client/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "outside/client/testing/pictures.h"

namespace casemate::client {
namespace {

const testing::TestFolder& folder() {
  static const testing::TestFolder made;
  return made;
}

TEST(File, what_was_written_is_read_back_and_replaced) {
  const std::string path = folder().path("a");
  ASSERT_TRUE(write_file(path, std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(*read_file(path, 3), (std::vector<uint8_t>{1, 2, 3}));
  ASSERT_TRUE(write_file(path, {}));
  EXPECT_TRUE(read_file(path, 3)->empty());
}

TEST(File, what_is_no_readable_file_is_refused_with_its_name) {
  const auto missing = read_file(folder().path("none"), 9);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(read_file(folder().file("big", std::vector<uint8_t>(10)), 9).error().code,
            Code::kTooLarge);
  const std::string fifo = folder().path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(read_file(fifo, 9).error().code, Code::kInvalid) << "and does not wait for a writer";
  EXPECT_FALSE(read_file("/dev/zero", 9));
  EXPECT_FALSE(read_file(folder().path(""), 9));
  EXPECT_FALSE(write_file(folder().path("no/such/folder"), {}));
}

}  // namespace
}  // namespace casemate::client
