// SPDX-License-Identifier: Apache-2.0
// Conformance: programs, order, failures that stick, and what is left of it after a reset.
#include <algorithm>
#include <thread>

#include "isolated/driver/conformance/drivers.h"
#include "isolated/driver/conformance/pieces.h"

namespace casemate::driver {
namespace {

class DeviceQueue : public testing::TestWithParam<Driver> {
 protected:
  void SetUp() override {
    device_ = made_or_none(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << kNoDevice;
  }
  bool takes(const engine::Graph& piece) { return takes_all(*device_, piece); }
  // A device and a queue in which a command was refused for its data; none where no table is taken.
  std::unique_ptr<Queue> failed_queue() {
    const engine::Graph piece = table(4, 2);
    if (!takes(piece)) return nullptr;
    const auto program = device_->compile(piece);
    CHECK(program.has_value(), "what a device takes it compiles");
    auto queue = *device_->make_queue();
    const Operands operands = *Operands::make(*device_, piece);
    const std::vector<int64_t> wrong = {1, 1'000'000'000'000};
    const Bytes bytes(static_cast<const uint8_t*>(static_cast<const void*>(wrong.data())), 16);
    EXPECT_TRUE((*queue->write(*operands.buffers[0], 0, bytes))->wait(in_the_end()));
    const auto fence = queue->run(*program, operands.inputs, operands.outputs);
    const Status ended = (*fence)->wait(in_the_end());
    EXPECT_TRUE(!ended && ended.error().code == Code::kInvalid);
    return queue;
  }

  std::unique_ptr<Device> device_;
};

TEST_P(DeviceQueue, runs_what_the_operators_functions_compute) {
  size_t run = 0;
  for (const Piece& piece : small_pieces()) {
    if (!takes(piece.graph)) continue;
    SCOPED_TRACE(piece.what);
    const auto inputs = inputs_for(piece.graph);
    const auto got = run_on(*device_, piece.graph, inputs);
    ASSERT_TRUE(got) << got.error().text;
    expect_results(piece.graph, *got, reference(piece.graph, inputs));
    ++run;
  }
  EXPECT_GT(run, 0u) << "a device takes something";
  EXPECT_EQ(device_->state().programs, 0u);
  EXPECT_EQ(device_->state().memory_bytes, 0u) << "and holds nothing when it is done";
}

TEST_P(DeviceQueue, what_a_device_does_not_take_it_does_not_compile_and_says_why) {
  engine::Draft d;
  const engine::Graph strange = d.finish({d.same("NoSuchOperator", d.input({2, 2}))});
  const Status taken = device_->takes(strange, strange.nodes()[0]);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kUnsupported);
  EXPECT_TRUE(taken.error().text.contains("NoSuchOperator")) << taken.error().text;
  const auto program = device_->compile(strange);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::kUnsupported);
  EXPECT_EQ(program.error().text, taken.error().text);
}

TEST_P(DeviceQueue, commands_run_in_the_order_they_came_in) {
  const engine::Graph piece = square(*device_, 64);
  const auto program = device_->compile(piece);
  ASSERT_TRUE(program) << program.error().text;
  const auto queue = *device_->make_queue();
  const auto a = *device_->make_buffer(64 * 64 * 4);
  const auto b = *device_->make_buffer(64 * 64 * 4);
  const ByteList ones = bytes_from(Floats(4096, 1));
  const ByteList threes = bytes_from(Floats(4096, 3));
  ByteList got(ones.size());
  ByteList between(ones.size());
  std::vector<ByteList> wanted = {threes};
  ASSERT_TRUE(queue->write(*a, 0, ones));
  ASSERT_TRUE(queue->write(*a, 0, threes));
  for (int i = 0; i < 5; ++i) {
    wanted.push_back(reference(piece, {wanted.back()})[0]);
    const Operand from{(i % 2 == 0 ? a : b).get(), 0};
    const Operand to{(i % 2 == 0 ? b : a).get(), 0};
    ASSERT_TRUE(queue->run(*program, std::span(&from, 1), std::span(&to, 1)));
    if (i != 2) continue;
    EXPECT_TRUE(queue->read(*b, 0, between).has_value());
  }
  const auto last = queue->read(*b, 0, got);
  ASSERT_TRUE(last);
  ASSERT_TRUE((*last)->wait(in_the_end()));
  EXPECT_EQ(between, wanted[3]);
  EXPECT_EQ(got, wanted[5]);
}

TEST_P(DeviceQueue, an_operand_begins_where_the_limits_allow_and_nowhere_else) {
  const engine::Graph piece = square(*device_, 4);
  const auto program = device_->compile(piece);
  ASSERT_TRUE(program);
  const auto queue = *device_->make_queue();
  const uint64_t step = device_->limits().alignment;
  const auto buffer = *device_->make_buffer(step * 8 + 256);
  const uint64_t to = (64 + step) / step * step;
  const Operand from{buffer.get(), step};
  const ByteList twos = bytes_from(Floats(16, 2));
  ASSERT_TRUE(queue->write(*buffer, step, twos));
  const Operand good{buffer.get(), step + to};
  const auto fence = queue->run(*program, std::span(&from, 1), std::span(&good, 1));
  ASSERT_TRUE(fence) << fence.error().text;
  ByteList got(64);
  ASSERT_TRUE((*queue->read(*buffer, step + to, got))->wait(in_the_end()));
  EXPECT_EQ(got, reference(piece, {twos})[0]);
  if (step == 1) return;
  const Operand crooked{buffer.get(), step + to + 1};
  const auto refused = queue->run(*program, std::span(&from, 1), std::span(&crooked, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
}

TEST_P(DeviceQueue, operands_must_fit_the_program) {
  const engine::Graph piece = square(*device_, 4);
  const auto program = device_->compile(piece);
  ASSERT_TRUE(program);
  const auto queue = *device_->make_queue();
  const auto right = *device_->make_buffer(64);
  const auto small = *device_->make_buffer(63);
  const auto other = *device_->make_buffer(64);
  const Operand good{right.get(), 0};
  const Operand result{other.get(), 0};
  const Operand little{small.get(), 0};
  const std::array<Operand, 2> two = {good, good};
  const auto code = [&](std::span<const Operand> inputs, std::span<const Operand> outputs) {
    const auto made = queue->run(*program, inputs, outputs);
    return made ? Code::kOk : made.error().code;
  };
  EXPECT_EQ(code(std::span(&little, 1), std::span(&result, 1)), Code::kInvalid);
  EXPECT_EQ(code(std::span(&good, 1), std::span(&little, 1)), Code::kInvalid);
  EXPECT_EQ(code(two, std::span(&result, 1)), Code::kInvalid);
  EXPECT_EQ(code({}, std::span(&result, 1)), Code::kInvalid);
  EXPECT_EQ(code(std::span(&good, 1), {}), Code::kInvalid);
  EXPECT_EQ(code(std::span(&good, 1), std::span(&good, 1)), Code::kInvalid) << "they overlap";
  EXPECT_EQ(code(std::span(&good, 1), std::span(&result, 1)), Code::kOk);
}

TEST_P(DeviceQueue, programs_of_others_and_dropped_ones_are_refused) {
  const auto other = *GetParam().make(kDriverMemory);
  const engine::Graph piece = square(*device_, 4);
  const auto theirs = other->compile(piece);
  const auto dropped = device_->compile(piece);
  ASSERT_TRUE(theirs && dropped);
  device_->drop(*dropped);
  device_->drop(*dropped);
  device_->drop(*theirs);
  const auto queue = *device_->make_queue();
  const Operands operands = *Operands::make(*device_, piece);
  for (const Program program : {*theirs, *dropped, Program{}, Program{UINT64_MAX}}) {
    const auto refused = queue->run(program, operands.inputs, operands.outputs);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
  }
}

TEST_P(DeviceQueue, a_full_queue_says_so_and_takes_more_when_it_is_done) {
  const ByteList bytes(8 << 20, 0x42);  // outlives the queue that reads it
  const auto queue = *device_->make_queue();
  const auto buffer = *device_->make_buffer(8 << 20);
  std::vector<std::unique_ptr<Fence>> fences;
  Code refused = Code::kOk;
  for (uint32_t i = 0; i < 8 * device_->limits().commands_max && refused == Code::kOk; ++i) {
    auto fence = queue->write(*buffer, 0, bytes);
    if (fence) {
      fences.push_back(*std::move(fence));
    } else {
      refused = fence.error().code;
    }
  }
  EXPECT_EQ(refused, Code::kUnavailable);
  // The first ones may have been done before it was full.
  ASSERT_TRUE(fences.back()->wait(in_the_end()));
  EXPECT_TRUE(queue->write(*buffer, 0, bytes));
}

TEST_P(DeviceQueue, a_refused_command_fails_those_behind_it_and_its_queue_alone) {
  const auto healthy = *device_->make_queue();
  const auto failed = failed_queue();
  if (failed == nullptr) GTEST_SKIP() << "the device takes nothing that data can be wrong for";
  const auto buffer = *device_->make_buffer(64);
  ByteList bytes(64);
  for (int i = 0; i < 3; ++i) {
    const auto later = failed->read(*buffer, 0, bytes);
    ASSERT_TRUE(later);
    const Status ended = (*later)->wait(in_the_end());
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::kInvalid);
    EXPECT_EQ((*later)->wait(at_once()).error().text, ended.error().text) << "the same each time";
  }
  EXPECT_TRUE((*healthy->read(*buffer, 0, bytes))->wait(in_the_end()));
  EXPECT_EQ(device_->state().health, Health::kWell);
  const engine::Graph piece = square(*device_, 4);
  const auto inputs = inputs_for(piece);
  const auto again = run_on(*device_, piece, inputs);
  ASSERT_TRUE(again) << again.error().text;
  expect_results(piece, *again, reference(piece, inputs));
}

TEST_P(DeviceQueue, one_program_runs_in_several_queues_at_the_same_time) {
  engine::Draft d;
  engine::Graph piece = d.finish({d.same(
      "Relu", d.convolution(d.same("Relu", d.convolution(d.input({1, 4, 12, 12}), 8)), 4))});
  if (!takes(piece)) piece = integer_convolution();
  if (!takes(piece)) GTEST_SKIP() << "the device takes no convolutions";
  const auto program = device_->compile(piece);
  ASSERT_TRUE(program) << program.error().text;
  const auto inputs = inputs_for(piece);
  const auto wanted = reference(piece, inputs);
  const uint32_t count = std::min(device_->limits().queues_max, 4U);
  std::vector<Result<std::vector<ByteList>>> got(count, Error{});
  std::vector<std::thread> callers;
  for (uint32_t i = 0; i < count; ++i) {
    callers.emplace_back([&, i] {
      const auto queue = *device_->make_queue();
      for (int k = 0; k < 5; ++k) got[i] = run_on(*device_, *queue, piece, *program, inputs);
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& each : got) {
    ASSERT_TRUE(each) << each.error().text;
    expect_results(piece, *each, wanted);
  }
}

TEST_P(DeviceQueue, a_program_may_be_dropped_while_it_is_in_flight) {
  const engine::Graph piece = square(*device_, 64);
  const auto program = device_->compile(piece);
  ASSERT_TRUE(program);
  const auto queue = *device_->make_queue();
  Operands operands = *Operands::make(*device_, piece);
  const ByteList ones = bytes_from(Floats(4096, 1));
  ByteList got(ones.size());
  const auto written = queue->write(*operands.buffers[0], 0, ones);
  const auto run = queue->run(*program, operands.inputs, operands.outputs);
  const auto read = queue->read(*operands.buffers[1], 0, got);
  ASSERT_TRUE(written && run && read);
  device_->drop(*program);
  operands = {};
  ASSERT_TRUE((*read)->wait(in_the_end()));
  EXPECT_EQ(got, reference(piece, {ones})[0]);
  EXPECT_EQ(device_->state().memory_bytes, 0u);
}

TEST_P(DeviceQueue, that_is_closed_cancels_what_it_has_not_done) {
  const auto buffer = *device_->make_buffer(1 << 20);
  std::vector<std::unique_ptr<Fence>> fences;
  {
    const ByteList bytes(1 << 20, 0x42);
    const auto queue = *device_->make_queue();
    for (int i = 0; i < 30; ++i) fences.push_back(*queue->write(*buffer, 0, bytes));
  }
  bool cancelled = false;
  for (const auto& fence : fences) {
    const Status ended = fence->wait(at_once());
    EXPECT_TRUE(done_or_cancelled(ended));
    EXPECT_FALSE(ended && cancelled) << "those behind a cancelled one are cancelled";
    cancelled = cancelled || !ended;
  }
  EXPECT_EQ(device_->state().queues, 0u);
}

TEST_P(DeviceQueue, reset_gives_a_device_with_nothing_of_before_in_it) {
  const engine::Graph piece = square(*device_, 4);
  const auto program = device_->compile(piece);
  ASSERT_TRUE(program);
  const auto queue = *device_->make_queue();
  std::vector<std::unique_ptr<Buffer>> held;
  ByteList secret(1 << 20, 0x5A);
  for (int i = 0; i < 16; ++i) {
    held.push_back(*device_->make_buffer(1 << 20));
    ASSERT_TRUE((*queue->write(*held.back(), 0, secret))->wait(in_the_end()));
  }
  ASSERT_TRUE(device_->reset(in_the_end()));
  const DeviceState state = device_->state();
  EXPECT_EQ(state.memory_bytes, 0u);
  EXPECT_EQ(state.buffers + state.programs + state.queues, 0u);
  EXPECT_EQ(state.epoch, 1u);
  // What was there before is refused, by old queues and new ones.
  const auto fresh = *device_->make_queue();
  const auto old = held.front().get();
  const Operand from{old, 0};
  const auto target = *device_->make_buffer(64);
  const Operand to{target.get(), 0};
  for (Queue* each : {queue.get(), fresh.get()}) {
    const auto read = each->read(*old, 0, secret);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::kInvalid);
    EXPECT_FALSE(each->run(*program, std::span(&from, 1), std::span(&to, 1)));
  }
  EXPECT_FALSE(queue->read(*target, 0, {}));
  held.clear();
  for (int i = 0; i < 24; ++i) {
    held.push_back(*device_->make_buffer(1 << 20));
    ByteList got(1 << 20, 0xEE);
    ASSERT_TRUE((*fresh->read(*held.back(), 0, got))->wait(in_the_end()));
    EXPECT_TRUE(std::ranges::all_of(got, [](uint8_t b) { return b == 0; })) << i;
  }
  const auto inputs = inputs_for(piece);
  const auto got = run_on(*device_, piece, inputs);
  ASSERT_TRUE(got) << got.error().text;
  expect_results(piece, *got, reference(piece, inputs));
}

TEST_P(DeviceQueue, reset_cancels_what_is_in_flight) {
  const auto queue = *device_->make_queue();
  const auto buffer = *device_->make_buffer(1 << 20);
  const ByteList bytes(1 << 20, 0x42);
  std::vector<std::unique_ptr<Fence>> fences;
  for (int i = 0; i < 30; ++i) fences.push_back(*queue->write(*buffer, 0, bytes));
  ASSERT_TRUE(device_->reset(in_the_end()));
  for (const auto& fence : fences) {
    const Status ended = fence->wait(at_once());
    EXPECT_TRUE(done_or_cancelled(ended));
  }
}

TEST_P(DeviceQueue, handles_may_outlive_their_device) {
  auto queue = *device_->make_queue();
  auto buffer = *device_->make_buffer(1 << 20);
  const ByteList bytes(1 << 20, 0x42);
  std::vector<std::unique_ptr<Fence>> fences;
  for (int i = 0; i < 10; ++i) fences.push_back(*queue->write(*buffer, 0, bytes));
  device_.reset();
  for (const auto& fence : fences) {
    const Status ended = fence->wait(at_once());
    EXPECT_TRUE(done_or_cancelled(ended));
  }
  EXPECT_FALSE(queue->write(*buffer, 0, bytes));
}

INSTANTIATE_TEST_SUITE_P(All, DeviceQueue, testing::ValuesIn(drivers()), driver_name);

}  // namespace
}  // namespace casemate::driver
