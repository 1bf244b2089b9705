// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/remote/given_end.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/format.h"

namespace casemate::driver {
namespace {

constexpr int kFirst = 100;

void give(int first) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(::dup2(null, first + i), first + i);
  ::close(null);
}

TEST(GivenEnd, has_four_descriptors_in_a_row_and_the_shape_that_is_said) {
  give(kFirst);
  {
    const auto end = given_end("100:64:4096:8192");
    ASSERT_TRUE(end) << end.error().text;
    EXPECT_EQ(end->slots, 64u);
    EXPECT_EQ(end->bulk_in_bytes, 4096u);
    EXPECT_EQ(end->bulk_out_bytes, 8192u);
    EXPECT_EQ(end->requests.number(), kFirst);
    EXPECT_EQ(end->bulk_out.number(), kFirst + 3);
    EXPECT_FALSE(end->bell.valid());
  }
  EXPECT_EQ(::fcntl(kFirst, F_GETFD), -1) << "they are its own";
}

TEST(GivenEnd, of_another_form_is_refused) {
  give(kFirst);
  for (const char* word :
       {"", "100", "100:64:4096", "100:64:4096:", ":64:4096:4096", "100:64:4096:4096:", "x:64:1:1",
        "100:65537:4096:4096", "2:64:4096:4096", "100:64:0:4096", "100:64:4096:0", "100:64:4096:-1",
        "100:64:4096:4096 ", "101:64:4096:4096", "5000:64:4096:4096",
        "100:64:4096:99999999999999999999"}) {
    const auto end = given_end(word);
    ASSERT_FALSE(end) << word;
    EXPECT_EQ(end.error().code, Code::kInvalid);
    EXPECT_TRUE(end.error().text.contains(formatted("'{}'", word))) << end.error().text;
  }
  for (int i = 0; i < 4; ++i) EXPECT_EQ(::close(kFirst + i), 0) << "none was taken";
}

}  // namespace
}  // namespace casemate::driver
