// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/fake/fake.h"

#include <thread>

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/fake/block.h"

namespace casemate::driver {
namespace {

struct Rig {
  explicit Rig(const FakeOptions& options)
      : device(*make_fake(options)),
        queue(*device->make_queue()),
        buffer(*device->make_buffer(64)) {}
  std::unique_ptr<Fence> write() { return *queue->write(*buffer, 0, bytes); }

  ByteList bytes = ByteList(64, 0x42);
  std::unique_ptr<Device> device;
  std::unique_ptr<Queue> queue;
  std::unique_ptr<Buffer> buffer;
};

Code code_of(const Status& status) { return status ? Code::kOk : status.error().code; }

TEST(FakeDevice, is_as_slow_as_it_was_told_to_be_in_steps) {
  Rig rig({.slow_steps = 3});
  const auto fence = rig.write();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(code_of(fence->wait(at_once())), Code::kTimedOut) << i;
  EXPECT_TRUE(fence->wait(at_once()));
  EXPECT_EQ(rig.device->state().steps, 4u);
}

TEST(FakeDevice, hangs_at_the_command_that_it_was_told_to_and_makes_steps_in_no_other_queue) {
  Rig rig({.hang_at = 2});
  EXPECT_TRUE(rig.write()->wait(at_once()));
  const auto hung = rig.write();
  const auto behind = rig.write();
  EXPECT_EQ(code_of(hung->wait(system_clock().now() + std::chrono::milliseconds(5))),
            Code::kTimedOut);
  EXPECT_EQ(code_of(behind->wait(at_once())), Code::kTimedOut);
  EXPECT_EQ(rig.device->state().commands, 1u);
  EXPECT_EQ(rig.device->state().steps, 1u) << "whoever is slow makes steps";
  EXPECT_EQ(rig.device->state().health, Health::kWell) << "who waits decides what a hang is";
  const auto other = *rig.device->make_queue();
  EXPECT_TRUE((*other->write(*rig.buffer, 0, rig.bytes))->wait(at_once()));
  ASSERT_TRUE(rig.device->reset(in_the_end()));
  EXPECT_EQ(code_of(hung->wait(at_once())), Code::kCancelled);
  EXPECT_EQ(code_of(behind->wait(at_once())), Code::kCancelled);
}

TEST(FakeDevice, a_reset_ends_the_wait_for_a_hung_command) {
  Rig rig({.hang_at = 1});
  const auto hung = rig.write();
  Status ended;
  std::thread waiter([&] { ended = hung->wait(in_the_end()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // till it is at it, or soon will be
  EXPECT_TRUE(rig.device->reset(in_the_end()));
  waiter.join();
  EXPECT_EQ(code_of(ended), Code::kCancelled);
}

TEST(FakeDevice, a_fault_fails_every_queue_until_reset) {
  Rig rig({.fault_at = 2});
  const auto other = *rig.device->make_queue();
  EXPECT_TRUE(rig.write()->wait(at_once()));
  const auto failed = rig.write();
  const auto before = *other->write(*rig.buffer, 0, rig.bytes);
  const Status ended = failed->wait(at_once());
  EXPECT_EQ(code_of(ended), Code::kPlatform);
  EXPECT_TRUE(ended.error().text.contains("command 2")) << ended.error().text;
  EXPECT_EQ(code_of(before->wait(at_once())), Code::kPlatform) << "it had not run yet";
  EXPECT_EQ(code_of(rig.write()->wait(at_once())), Code::kPlatform);
  EXPECT_EQ(code_of((*other->write(*rig.buffer, 0, {}))->wait(at_once())), Code::kPlatform);
  EXPECT_EQ(rig.device->state().health, Health::kFailed);
  EXPECT_EQ(rig.device->state().reason, ended.error().text);
  EXPECT_FALSE(rig.device->make_buffer(1));
  EXPECT_FALSE(rig.device->make_queue());
  EXPECT_FALSE(rig.device->compile(doubling()));
  ASSERT_TRUE(rig.device->reset(in_the_end()));
  EXPECT_EQ(rig.device->state().health, Health::kWell);
  const engine::Graph piece = doubling();
  const auto inputs = inputs_for(piece);
  const auto got = run_on(*rig.device, piece, inputs);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(*got, reference(piece, inputs));
}

TEST(FakeDevice, lies_once_and_in_one_bit) {
  const engine::Graph piece = doubling();
  const auto inputs = inputs_for(piece);
  auto wanted = reference(piece, inputs);
  Rig rig({.lie_at = 2});  // the second command is the run
  const auto got = run_on(*rig.device, piece, inputs);
  ASSERT_TRUE(got);
  EXPECT_NE(*got, wanted);
  wanted[0][0] ^= 1;
  EXPECT_EQ(*got, wanted);
  EXPECT_EQ(*run_on(*rig.device, piece, inputs), reference(piece, inputs));
}

TEST(FakeDevice, computes_the_same_bits_as_the_operators_functions) {
  for (const Piece& piece : small_pieces()) {
    const auto device = *make_fake();
    const auto inputs = inputs_for(piece.graph);
    const auto got = run_on(*device, piece.graph, inputs);
    ASSERT_TRUE(got) << piece.what << ": " << got.error().text;
    EXPECT_EQ(*got, reference(piece.graph, inputs)) << piece.what;
  }
}

TEST(FakeDevice, takes_the_operators_that_it_was_made_with) {
  const auto device = *make_fake({.operators = {"Relu", "Conv"}});
  engine::Draft d;
  const engine::Graph piece = d.finish({d.same("Relu", d.same("Tanh", d.input({2})))});
  const Status tanh = device->takes(piece, piece.nodes()[0]);
  EXPECT_EQ(code_of(tanh), Code::kUnsupported);
  EXPECT_TRUE(device->takes(piece, piece.nodes()[1]));
  const auto program = device->compile(piece);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().text, tanh.error().text);
}

TEST(Block, gives_out_what_was_given_back_and_nothing_twice) {
  Block block(*Mapping::anonymous(640));
  std::vector<uint64_t> pieces;
  for (int i = 0; i < 10; ++i) pieces.push_back(*block.allocate(1));
  EXPECT_FALSE(block.allocate(1));
  EXPECT_FALSE(block.allocate(UINT64_MAX));
  block.free(pieces[3]);
  block.free(pieces[5]);
  EXPECT_FALSE(block.allocate(65)) << "no gap is so large";
  block.free(pieces[4]);
  std::ranges::fill(block.at(pieces[3], 192), uint8_t{9});
  const auto again = block.allocate(192);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, pieces[3]);
  EXPECT_TRUE(std::ranges::all_of(block.at(*again, 192), [](uint8_t b) { return b == 0; }));
}

}  // namespace
}  // namespace casemate::driver
