// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/token_bucket.h"

#include <gtest/gtest.h>

namespace casemate::monitor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int taken(TokenBucket& bucket, Instant now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += bucket.take(now) ? 1 : 0;
  return count;
}

TEST(TokenBucket, gives_so_many_at_once_and_so_many_a_second) {
  const Instant start = Instant{} + seconds(1000);
  TokenBucket bucket(50, 100);
  EXPECT_EQ(taken(bucket, start, 1000), 100);
  EXPECT_EQ(taken(bucket, start + milliseconds(19), 10), 0);
  EXPECT_EQ(taken(bucket, start + milliseconds(20), 10), 1);
  EXPECT_EQ(taken(bucket, start + seconds(1), 1000), 49);
}

TEST(TokenBucket, holds_no_more_than_at_once_however_long_it_waits) {
  const Instant start{};
  TokenBucket bucket(10, 3);
  EXPECT_EQ(taken(bucket, start + seconds(3600), 100), 3);
}

}  // namespace
}  // namespace casemate::monitor
