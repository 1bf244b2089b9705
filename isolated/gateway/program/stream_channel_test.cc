// SPDX-License-Identifier: Apache-2.0
// The gateway's end of a stream whose memory goes away under its hands, as it does when the other
// side's partition fails: the bulk memory first, the rings a moment later.

#include "isolated/gateway/program/stream_channel.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "wire/srpc/stream_pair.h"

namespace casemate::gateway {
namespace {

constexpr uint64_t kBulk = 64 << 10;

struct Stream {
  Stream()
      : pair(*srpc::StreamPair::make(
            StreamId{1}, Epoch{1},
            {.slots = 4, .bulk_in_bytes = kBulk, .bulk_out_bytes = kBulk, .caller_bell = true})),
        memory(*pair.callee_end()),
        callee(*srpc::Callee::make(*pair.callee_end())),
        channel(*StreamChannel::make(*pair.caller_end(), 1)) {}
  // Answers the call that is there.
  void reply() {
    ASSERT_TRUE(callee.next(std::chrono::seconds(1)));
    ASSERT_TRUE(callee.reply(Code::kOk));
  }
  // The first step of a revocation.
  void take_results_away() { ASSERT_EQ(::ftruncate(memory.bulk_out.number(), 0), 0); }

  srpc::StreamPair pair;
  srpc::StreamEnd memory;
  srpc::Callee callee;
  std::unique_ptr<StreamChannel> channel;
};

TEST(StreamChannel, a_description_that_vanishes_is_a_failed_partition_and_no_wrong_description) {
  Stream stream;
  stream.reply();
  stream.take_results_away();
  const auto description = stream.channel->take_description();
  ASSERT_FALSE(description);
  EXPECT_EQ(description.error().code, Code::kPartitionFailed);
}

TEST(StreamChannel, results_that_vanish_are_a_failed_partition_and_no_empty_answer) {
  Stream stream;
  stream.reply();
  (void)stream.channel->take_description();
  ASSERT_TRUE(stream.channel->start(1, {}));
  stream.reply();
  stream.take_results_away();
  std::vector<Channel::Completion> completions;
  stream.channel->poll(completions);
  ASSERT_EQ(completions.size(), 1u);
  ASSERT_FALSE(completions[0].status);
  EXPECT_EQ(completions[0].status.error().code, Code::kPartitionFailed);
  EXPECT_TRUE(stream.channel->failed());
}

}  // namespace
}  // namespace casemate::gateway
