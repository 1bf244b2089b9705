// SPDX-License-Identifier: Apache-2.0
// What a server has to bear of its caller.
#include "isolated/driver/remote/server.h"

#include <gtest/gtest.h>

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/remote/packed_piece.h"

namespace casemate::driver {
namespace {

using remote::Call;

class RemoteServer : public testing::Test {
 protected:
  template <class Args>
  Code call(Call which, const Args& args) {
    return server_.handle(static_cast<uint32_t>(which), bytes_of(args)).code;
  }
  Code call(Call which) { return server_.handle(static_cast<uint32_t>(which), {}).code; }
  remote::Progress progress(uint64_t queue, uint64_t commands) {
    const remote::Wait wait{queue, commands, 1'000'000'000};
    const auto answer = server_.handle(static_cast<uint32_t>(Call::kWait), bytes_of(wait));
    EXPECT_EQ(answer.value.size(), sizeof(remote::Progress));
    return load<remote::Progress>(answer.value);
  }
  void send(const engine::Graph& piece) {
    const auto packed = *remote::pack(piece);
    std::ranges::copy(packed, in_.begin());
    ASSERT_EQ(call(Call::kStage, remote::Stage{packed.size(), 0, 0, packed.size()}), Code::kOk);
  }

  std::unique_ptr<Device> device_ = *make_fake();
  std::vector<uint8_t> in_ = std::vector<uint8_t>(1 << 20);
  std::vector<uint8_t> out_ = std::vector<uint8_t>(1 << 20);
  Server server_{*device_, in_, out_, {.piece_bytes_max = 1 << 20}};
};

TEST_F(RemoteServer, answers_what_is_no_call_with_a_code) {
  for (const uint32_t which : {0u, 16u, 1000u, UINT32_MAX})
    EXPECT_EQ(server_.handle(which, {}).code, Code::kUnsupported) << which;
  for (uint32_t which = 3; which <= 15; ++which) {
    if (which == static_cast<uint32_t>(Call::kTakes)) continue;
    EXPECT_EQ(server_.handle(which, Bytes(in_).first(3)).code, Code::kInvalid) << which;
    EXPECT_EQ(server_.handle(which, Bytes(in_).first(200)).code, Code::kInvalid) << which;
  }
}

TEST_F(RemoteServer, takes_no_piece_that_lies_outside_its_memory_or_comes_out_of_order) {
  constexpr uint64_t kHuge = UINT64_MAX - 3;
  const remote::Stage wrong[] = {{100, 1, 0, 10},         {100, 0, 0, 101},   {100, 0, 1 << 20, 1},
                                 {100, 0, kHuge, 10},     {100, 0, 0, kHuge}, {kHuge, 0, 0, 10},
                                 {(1 << 20) + 1, 0, 0, 1}};
  for (const remote::Stage& stage : wrong)
    EXPECT_NE(call(Call::kStage, stage), Code::kOk) << stage.total << " " << stage.at;
  EXPECT_EQ(call(Call::kStage, remote::Stage{100, 0, 0, 50}), Code::kOk);
  EXPECT_EQ(call(Call::kStage, remote::Stage{100, 40, 0, 10}), Code::kInvalid);
  EXPECT_EQ(call(Call::kStage, remote::Stage{99, 50, 0, 49}), Code::kInvalid);
  EXPECT_EQ(call(Call::kStage, remote::Stage{100, 50, 0, 50}), Code::kOk);
  EXPECT_EQ(call(Call::kCompile, remote::Handle{1}), Code::kInvalid) << "zeros are no piece";
  EXPECT_EQ(call(Call::kTakes), Code::kInvalid);
}

TEST_F(RemoteServer, refuses_handles_that_are_not_there_or_there_already) {
  EXPECT_EQ(call(Call::kWait, remote::Wait{7, 1, 0}), Code::kInvalid);
  EXPECT_EQ(call(Call::kClose, remote::Handle{7}), Code::kInvalid);
  EXPECT_EQ(call(Call::kWrite, remote::Copy{7, 7, 0, 0, 1}), Code::kInvalid);
  EXPECT_EQ(call(Call::kRun, remote::Run{7, 7, 0, 1, 1}), Code::kInvalid);
  EXPECT_EQ(call(Call::kFree, remote::Handle{7}), Code::kOk);
  EXPECT_EQ(call(Call::kDrop, remote::Handle{7}), Code::kOk);
  EXPECT_EQ(call(Call::kOpen, remote::Handle{1}), Code::kOk);
  EXPECT_EQ(call(Call::kOpen, remote::Handle{1}), Code::kInvalid);
  EXPECT_EQ(call(Call::kAllocate, remote::Allocate{1, 64}), Code::kOk);
  EXPECT_EQ(call(Call::kAllocate, remote::Allocate{1, 64}), Code::kInvalid);
  EXPECT_EQ(call(Call::kAllocate, remote::Allocate{2, UINT64_MAX}), Code::kTooLarge);
}

TEST_F(RemoteServer, fails_a_queue_for_a_command_that_lies_outside_and_goes_on) {
  const engine::Graph piece = square(*device_, 4);
  send(piece);
  ASSERT_EQ(call(Call::kCompile, remote::Handle{9}), Code::kOk);
  ASSERT_EQ(call(Call::kAllocate, remote::Allocate{1, 64}), Code::kOk);
  constexpr uint64_t kHuge = UINT64_MAX - 3;
  const remote::Copy copies[] = {{0, 1, 0, 1 << 20, 1}, {0, 1, 0, kHuge, 64}, {0, 1, 0, 0, kHuge},
                                 {0, 1, 60, 0, 64},     {0, 1, kHuge, 0, 8},  {0, 2, 0, 0, 8}};
  const remote::Run runs[] = {{0, 8, 0, 1, 1},       {0, 9, kHuge, 1, 1},
                              {0, 9, 1 << 20, 1, 1}, {0, 9, 0, UINT32_MAX, UINT32_MAX},
                              {0, 9, 0, 5000, 0},    {0, 9, 0, 0, 0},
                              {0, 9, 0, 1, 1}};
  uint64_t queue = 100;
  const auto fails = [&](Call which, auto args) {
    args.queue = ++queue;
    ASSERT_EQ(call(Call::kOpen, remote::Handle{queue}), Code::kOk);
    EXPECT_NE(call(which, args), Code::kOk);
    EXPECT_EQ(progress(queue, 1).done, 0u);
    EXPECT_NE(progress(queue, 1).failure, 0u);
    EXPECT_EQ(call(Call::kClose, remote::Handle{queue}), Code::kOk);
  };
  std::ranges::fill(in_, uint8_t{0xFF});  // operands of buffers that nobody has
  for (const remote::Copy& each : copies) {
    fails(Call::kWrite, each);
    fails(Call::kRead, each);
  }
  for (const remote::Run& each : runs) fails(Call::kRun, each);
  ASSERT_EQ(call(Call::kOpen, remote::Handle{1}), Code::kOk);
  EXPECT_EQ(call(Call::kWrite, remote::Copy{1, 1, 0, 0, 64}), Code::kOk);
  EXPECT_EQ(progress(1, 1).done, 1u);
}

TEST_F(RemoteServer, lets_go_of_everything_when_it_is_reset) {
  ASSERT_EQ(call(Call::kAllocate, remote::Allocate{1, 64}), Code::kOk);
  ASSERT_EQ(call(Call::kOpen, remote::Handle{1}), Code::kOk);
  EXPECT_EQ(call(Call::kReset, remote::Wait{0, 0, 1'000'000'000}), Code::kOk);
  EXPECT_EQ(device_->state().buffers + device_->state().queues, 0u);
  EXPECT_EQ(call(Call::kAllocate, remote::Allocate{1, 64}), Code::kOk);
}

}  // namespace
}  // namespace casemate::driver
