// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/server/serve.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include "wire/srpc/stream_pair.h"

namespace casemate::opencl {
namespace {

// No thread can be had while this lives: each wants a stack larger than all memory.
class NoThreads final {
 public:
  NoThreads() {
    EXPECT_EQ(::pthread_getattr_default_np(&usual_), 0);
    pthread_attr_t huge;
    EXPECT_EQ(::pthread_attr_init(&huge), 0);
    EXPECT_EQ(::pthread_attr_setstacksize(&huge, size_t{1} << 50), 0);
    EXPECT_EQ(::pthread_setattr_default_np(&huge), 0);
    ::pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    EXPECT_EQ(::pthread_setattr_default_np(&usual_), 0);
    ::pthread_attr_destroy(&usual_);
  }
  NoThreads(const NoThreads&) = delete;

 private:
  pthread_attr_t usual_;
};

TEST(Serve, refuses_with_a_sentence_where_no_thread_can_be_had) {
  auto pair = srpc::StreamPair::make(
      StreamId{1}, Epoch{1}, {.slots = 16, .bulk_in_bytes = 1 << 20, .bulk_out_bytes = 1 << 20});
  ASSERT_TRUE(pair);
  auto callee = srpc::Callee::make(*pair->callee_end());
  ASSERT_TRUE(callee);
  bool asked = false;
  const auto wanted = [&] {
    asked = true;
    return false;
  };
  {
    const NoThreads none;
    const Status served = serve(*callee, nullptr, {}, wanted);
    ASSERT_FALSE(served);
    EXPECT_EQ(served.error().code, Code::kUnavailable);
    EXPECT_TRUE(served.error().text.contains("no thread can be started"));
    EXPECT_FALSE(asked);
  }
  EXPECT_TRUE(serve(*callee, nullptr, {}, wanted));
  EXPECT_TRUE(asked);
}

}  // namespace
}  // namespace casemate::opencl
