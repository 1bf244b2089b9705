// SPDX-License-Identifier: Apache-2.0
// Conformance: buffers, copies, limits, and handles that are not there.
#include <algorithm>

#include "isolated/driver/conformance/drivers.h"
#include "isolated/driver/conformance/pieces.h"

namespace casemate::driver {
namespace {

class DeviceMemory : public testing::TestWithParam<Driver> {
 protected:
  void SetUp() override {
    device_ = made_or_none(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << kNoDevice;
    queue_ = *device_->make_queue();
  }
  ByteList content(const Buffer& buffer) {
    ByteList bytes(buffer.bytes(), 0xEE);
    auto fence = queue_->read(buffer, 0, bytes);
    CHECK(fence.has_value(), "a buffer can be read");
    EXPECT_TRUE((*fence)->wait(in_the_end()));
    return bytes;
  }
  void fill(const Buffer& buffer, const ByteList& bytes) {
    EXPECT_TRUE((*queue_->write(buffer, 0, bytes))->wait(in_the_end()));
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<Queue> queue_;
};

TEST_P(DeviceMemory, copies_of_every_size_and_place_come_back) {
  const auto buffer = *device_->make_buffer((1 << 20) + 200);
  for (const size_t size : {0, 1, 2, 3, 63, 64, 65, 4095, 4097, (1 << 20) + 13}) {
    for (const uint64_t offset : {0, 1, 7, 63, 64, 101}) {
      const ByteList sent = pattern(size, static_cast<uint8_t>(offset));
      ByteList got(size, 0xEE);
      const auto written = queue_->write(*buffer, offset, sent);
      const auto read = queue_->read(*buffer, offset, got);
      ASSERT_TRUE(written && read) << size << " at " << offset;
      ASSERT_TRUE((*read)->wait(in_the_end()));
      EXPECT_TRUE((*written)->wait(at_once()));
      EXPECT_EQ(got, sent) << size << " at " << offset;
    }
  }
}

TEST_P(DeviceMemory, a_copy_touches_nothing_beside_it) {
  const auto buffer = *device_->make_buffer(300);
  fill(*buffer, ByteList(300, 0x11));
  EXPECT_TRUE((*queue_->write(*buffer, 101, ByteList(57, 0x22)))->wait(in_the_end()));
  ByteList wanted(300, 0x11);
  std::fill_n(wanted.begin() + 101, 57, 0x22);
  EXPECT_EQ(content(*buffer), wanted);
}

TEST_P(DeviceMemory, a_fresh_buffer_is_zeros_whatever_was_there_before) {
  for (int i = 0; i < 20; ++i) {
    const auto buffer = *device_->make_buffer(static_cast<uint64_t>(i) * 1000);
    EXPECT_TRUE(std::ranges::all_of(content(*buffer), [](uint8_t b) { return b == 0; })) << i;
    fill(*buffer, ByteList(buffer->bytes(), 0x5A));
  }
}

TEST_P(DeviceMemory, what_is_not_in_a_buffer_is_refused_at_once) {
  const auto buffer = *device_->make_buffer(100);
  ByteList some(60);
  for (const uint64_t offset :
       {uint64_t{41}, uint64_t{100}, uint64_t{101}, UINT64_MAX, UINT64_MAX - 59}) {
    const auto written = queue_->write(*buffer, offset, some);
    ASSERT_FALSE(written) << offset;
    EXPECT_EQ(written.error().code, Code::kInvalid);
    const auto read = queue_->read(*buffer, offset, some);
    ASSERT_FALSE(read) << offset;
    EXPECT_EQ(read.error().code, Code::kInvalid);
  }
  ByteList more(101);
  EXPECT_FALSE(queue_->write(*buffer, 0, more));
  EXPECT_TRUE(queue_->write(*buffer, 100, {})) << "nothing, behind the last byte";
  EXPECT_TRUE((*queue_->write(*buffer, 40, some))->wait(in_the_end())) << "a refusal fails nothing";
}

TEST_P(DeviceMemory, buffers_of_another_device_are_refused) {
  const auto other = *GetParam().make(kDriverMemory);
  const auto theirs = *other->make_buffer(64);
  const auto ours = *device_->make_buffer(64);
  ByteList bytes(64);
  const auto written = queue_->write(*theirs, 0, bytes);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kInvalid);
  EXPECT_FALSE(queue_->read(*theirs, 0, bytes));
  const engine::Graph piece = square(*device_, 4);
  const auto program = device_->compile(piece);
  ASSERT_TRUE(program) << program.error().text;
  const Operand own{ours.get(), 0};
  const Operand foreign{theirs.get(), 0};
  const Operand none{};
  for (const Operand& wrong : {foreign, none}) {
    const auto reading = queue_->run(*program, std::span(&wrong, 1), std::span(&own, 1));
    ASSERT_FALSE(reading);
    EXPECT_EQ(reading.error().code, Code::kInvalid);
    EXPECT_FALSE(queue_->run(*program, std::span(&own, 1), std::span(&wrong, 1)));
  }
}

TEST_P(DeviceMemory, more_than_a_buffer_may_have_is_refused_for_good) {
  for (const uint64_t bytes : {device_->limits().buffer_bytes_max + 1, UINT64_MAX}) {
    const auto buffer = device_->make_buffer(bytes);
    ASSERT_FALSE(buffer);
    EXPECT_EQ(buffer.error().code, Code::kTooLarge);
  }
}

TEST_P(DeviceMemory, that_is_used_up_is_refused_until_some_is_given_back) {
  std::vector<std::unique_ptr<Buffer>> held;
  Code refused = Code::kOk;
  while (refused == Code::kOk && held.size() < 100) {
    auto buffer = device_->make_buffer(kDriverMemory / 8);
    if (buffer) {
      held.push_back(*std::move(buffer));
    } else {
      refused = buffer.error().code;
    }
  }
  EXPECT_EQ(refused, Code::kUnavailable);
  EXPECT_GE(held.size(), 4u);
  EXPECT_LE(device_->state().memory_bytes, device_->limits().memory_bytes);
  held.pop_back();
  EXPECT_TRUE(device_->make_buffer(kDriverMemory / 8));
  held.clear();
  EXPECT_EQ(device_->state().memory_bytes, 0u);
  EXPECT_EQ(device_->state().buffers, 0u);
}

TEST_P(DeviceMemory, as_many_buffers_as_the_limit_says_and_no_more) {
  std::vector<std::unique_ptr<Buffer>> held;
  for (uint32_t i = 0; i < device_->limits().buffers_max; ++i) {
    auto buffer = device_->make_buffer(0);
    ASSERT_TRUE(buffer) << i << ": " << buffer.error().text;
    held.push_back(*std::move(buffer));
  }
  const auto more = device_->make_buffer(0);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kUnavailable);
}

TEST_P(DeviceMemory, as_many_queues_as_the_limit_says_and_no_more) {
  std::vector<std::unique_ptr<Queue>> held;
  for (uint32_t i = 1; i < device_->limits().queues_max; ++i) {
    auto queue = device_->make_queue();
    ASSERT_TRUE(queue) << queue.error().text;
    held.push_back(*std::move(queue));
  }
  const auto more = device_->make_queue();
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kUnavailable);
  queue_.reset();
  EXPECT_TRUE(device_->make_queue());
}

TEST_P(DeviceMemory, a_buffer_may_go_while_it_is_in_flight) {
  auto first = *device_->make_buffer(1 << 20);
  auto second = *device_->make_buffer(1 << 20);
  const ByteList sent = pattern(1 << 20);
  ByteList got(1 << 20);
  const auto other = queue_->write(*second, 0, sent);
  const auto written = queue_->write(*first, 0, sent);
  const auto read = queue_->read(*first, 0, got);
  ASSERT_TRUE(other && written && read);
  first.reset();
  const auto third = *device_->make_buffer(1 << 20);  // not where the first still is
  fill(*third, ByteList(1 << 20, 0x77));
  EXPECT_TRUE((*read)->wait(in_the_end()));
  EXPECT_EQ(got, sent);
  EXPECT_EQ(content(*second), sent);
}

TEST_P(DeviceMemory, counters_say_what_was_done) {
  const auto buffer = *device_->make_buffer(1000);
  const DeviceState before = device_->state();
  fill(*buffer, pattern(300));
  content(*buffer);
  const DeviceState after = device_->state();
  EXPECT_EQ(after.commands - before.commands, 2u);
  EXPECT_GE(after.steps - before.steps, 2u);
  EXPECT_EQ(after.bytes_written - before.bytes_written, 300u);
  EXPECT_EQ(after.bytes_read - before.bytes_read, 1000u);
  EXPECT_EQ(after.buffers, 1u);
  EXPECT_GE(after.memory_bytes, 1000u);
  EXPECT_EQ(after.health, Health::kWell);
  EXPECT_TRUE(text_of(*device_).starts_with(device_->kind() + ": well\n")) << text_of(*device_);
}

INSTANTIATE_TEST_SUITE_P(All, DeviceMemory, testing::ValuesIn(drivers()), driver_name);

}  // namespace
}  // namespace casemate::driver
