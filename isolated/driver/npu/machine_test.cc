// SPDX-License-Identifier: Apache-2.0
// Programs written by hand: what instructions do, and how a device fails.
#include "isolated/driver/npu/machine.h"

#include <gtest/gtest.h>

#include <cstring>

namespace casemate::npu {
namespace {

constexpr uint64_t kCode = 1 << 15;  // where programs lie in a memory of 64 KiB

using Listing = std::vector<Instruction>;

Instruction load_of(Memory memory, uint16_t buffer, uint32_t device, uint16_t columns) {
  Instruction i{.opcode = Opcode::kLoad};
  i.transfer = {
      .memory = memory, .buffer = buffer, .device = device, .rows = 1, .columns = columns};
  return i;
}

Instruction store_of(Memory memory, uint16_t buffer, uint32_t device, uint16_t columns) {
  Instruction i = load_of(memory, buffer, device, columns);
  i.opcode = Opcode::kStore;
  return i;
}

// One turn of the first micro-op.
Instruction gemm_once() {
  Instruction i{.opcode = Opcode::kGemm};
  i.sweep = {.end = 1, .outer = 1, .inner = 1};
  return i;
}

Instruction alu_by(AluOperation operation, int16_t value) {
  Instruction i = gemm_once();
  i.opcode = Opcode::kAlu;
  i.operation = operation;
  i.immediate = true;
  i.value = value;
  return i;
}

Instruction with(Instruction i, Tokens tokens) {
  i.tokens = tokens;
  return i;
}

// A machine and a program in its memory.
struct Bench {
  Machine machine;

  explicit Bench(const Misbehaviour& misbehaviour = {})
      : machine(*Machine::make({.memory_bytes = 1 << 16, .misbehaviour = misbehaviour})) {}

  template <class T>
  void put(uint64_t address, const std::vector<T>& values) {
    const Bytes bytes(static_cast<const uint8_t*>(static_cast<const void*>(values.data())),
                      values.size() * sizeof(T));
    EXPECT_TRUE(machine.write(address, bytes));
  }
  template <class T>
  std::vector<T> at(uint64_t address, size_t count) {
    std::vector<T> values(count);
    EXPECT_TRUE(machine.read(
        address, {static_cast<uint8_t*>(static_cast<void*>(values.data())), count * sizeof(T)}));
    return values;
  }
  Report run(const Listing& listing, uint64_t cycles_max = 1 << 20) {
    for (size_t n = 0; n < listing.size(); ++n) {
      const auto bytes = encode(listing[n]);
      EXPECT_TRUE(bytes) << n;
      EXPECT_TRUE(machine.write(kCode + n * kInstructionBytes, *bytes));
    }
    auto report = machine.run({kCode, listing.size(), cycles_max});
    EXPECT_TRUE(report) << (report ? "" : report.error().text);
    return report ? *report : Report{};
  }
  std::string fault(const Listing& listing, FaultKind kind, uint64_t cycles_max = 1 << 20) {
    const Report report = run(listing, cycles_max);
    EXPECT_TRUE(report.fault);
    if (!report.fault) return "none";
    EXPECT_EQ(name_of(report.fault->kind), name_of(kind));
    EXPECT_TRUE(machine.faulted());
    return report.fault->text;
  }
};

constexpr Tokens kGive = {.push_next = true};
const Instruction kFinish = {.opcode = Opcode::kFinish, .tokens = {.pop_next = true}};

// Inputs of 1 to 16 at 0, weights at 256 of which row r is r everywhere: lane r becomes 136 r.
Bench product_bench(const Misbehaviour& misbehaviour = {}) {
  Bench bench(misbehaviour);
  std::vector<int8_t> input(16);
  std::vector<int8_t> weights(256);
  for (int i = 0; i < 16; ++i) input[i] = static_cast<int8_t>(i + 1);
  for (int i = 0; i < 256; ++i) weights[i] = static_cast<int8_t>(i / 16);
  bench.put(0, input);
  bench.put(256, weights);
  return bench;
}

Listing product_listing() {
  return {load_of(Memory::kInputs, 0, 0, 1),
          with(load_of(Memory::kWeights, 0, 1, 1), kGive),
          with(gemm_once(), {.pop_previous = true, .push_next = true}),
          with(store_of(Memory::kAccumulators, 0, 64, 1), {.pop_previous = true}),
          with(store_of(Memory::kOutputs, 0, 512, 1), {.push_previous = true}),
          kFinish};
}

TEST(Machine, multiplies_a_matrix_with_a_vector) {
  Bench bench = product_bench();
  const Report report = bench.run(product_listing());
  ASSERT_FALSE(report.fault) << report.fault->text;
  const auto sums = bench.at<int32_t>(4096, 16);
  const auto bytes = bench.at<int8_t>(8192, 16);
  for (int lane = 0; lane < 16; ++lane) {
    EXPECT_EQ(sums[lane], 136 * lane);
    EXPECT_EQ(bytes[lane], static_cast<int8_t>(136 * lane));
  }
  EXPECT_EQ(report.counters.products, 1u);
  EXPECT_EQ(report.counters.instructions, 6u);
  EXPECT_EQ(report.counters.bytes_loaded, 16u + 256);
  EXPECT_EQ(report.counters.bytes_stored, 64u + 16);
}

TEST(Machine, takes_the_cycles_that_its_model_says) {
  Bench bench = product_bench();
  // Fetch, 1 + 64 for the inputs, 16 + 64 for the weights, 8 + 1 for the product, 4 + 64 and 1 + 64
  // for the stores, 1 to finish. The weights wait for the inputs, the second store for the first.
  constexpr uint64_t kTaken = 65 + 80 + 9 + 68 + 65 + 1;
  EXPECT_EQ(bench.run(product_listing()).counters.cycles, kTaken);
  EXPECT_FALSE(bench.run(product_listing(), kTaken).fault);
  EXPECT_EQ(bench.fault(product_listing(), FaultKind::kCycles, kTaken - 1),
            "instruction 5: its 287 cycles were used up");
}

TEST(Machine, its_modules_share_the_way_to_memory) {
  // The accumulators, fetched in cycle 1, wait until the weights have passed in cycle 16, and both
  // for their latencies at once; FINISH takes one more.
  const Report report = Bench().run({with(load_of(Memory::kWeights, 0, 0, 1), kGive),
                                     load_of(Memory::kAccumulators, 0, 0, 1),
                                     {.tokens = {.pop_previous = true}}});
  EXPECT_EQ(report.counters.cycles, 16u + 4 + 64 + 1);
}

TEST(Machine, without_a_token_it_computes_with_what_is_not_there_yet) {
  Bench bench = product_bench();
  Listing listing = product_listing();
  listing[1].tokens = {};
  listing[2].tokens = {.push_next = true};
  ASSERT_FALSE(bench.run(listing).fault);
  EXPECT_EQ(bench.at<int32_t>(4096, 16), std::vector<int32_t>(16));
}

TEST(Machine, pads_what_it_loads) {
  Bench bench;
  std::vector<int8_t> image;
  for (int i = 0; i < 6 * 16; ++i) image.push_back(static_cast<int8_t>(i / 16 + 1));
  bench.put(0, image);
  // 2 x 2 of an image of 3 columns, a row above and below, two columns left, one right.
  Instruction load = load_of(Memory::kInputs, 1, 1, 2);
  load.transfer.rows = 2;
  load.transfer.stride = 3;
  load.transfer.pad_value = -7;
  load.transfer.pad_above = load.transfer.pad_below = load.transfer.pad_right = 1;
  load.transfer.pad_left = 2;
  ASSERT_FALSE(bench.run({with(load, kGive), {.tokens = {.pop_previous = true}}}).fault);
  const Bytes inputs = bench.machine.core().bytes(Memory::kInputs);
  const std::vector<int> expected = {0,  -7, -7, -7, -7, -7, -7, -7, 2,  3,  -7,
                                     -7, -7, 5,  6,  -7, -7, -7, -7, -7, -7, 0};
  for (size_t element = 0; element < expected.size(); ++element) {
    for (size_t lane = 0; lane < 16; ++lane)
      EXPECT_EQ(static_cast<int8_t>(inputs[element * 16 + lane]), expected[element]) << element;
  }
}

TEST(Machine, its_alu_wraps_and_shifts_both_ways) {
  constexpr int32_t kLeast = INT32_MIN;
  constexpr int32_t kMost = INT32_MAX;
  const std::vector<int32_t> values = {0, 1, -1, 5, -5, 40'000, -40'000, kMost, kLeast};
  const auto results = [&](AluOperation operation, int16_t value) {
    Bench bench;
    auto lanes = values;
    lanes.resize(16);
    bench.put(0, lanes);
    const Report report =
        bench.run({load_of(Memory::kAccumulators, 0, 0, 1), with(alu_by(operation, value), kGive),
                   with(store_of(Memory::kAccumulators, 0, 1, 1),
                        {.pop_previous = true, .push_previous = true}),
                   kFinish});
    EXPECT_FALSE(report.fault);
    return bench.at<int32_t>(64, values.size());
  };
  using V = std::vector<int32_t>;
  using enum AluOperation;
  EXPECT_EQ(results(kMin, 2), (V{0, 1, -1, 2, -5, 2, -40'000, 2, kLeast}));
  EXPECT_EQ(results(kMax, -2), (V{0, 1, -1, 5, -2, 40'000, -2, kMost, -2}));
  EXPECT_EQ(results(kAdd, 1), (V{1, 2, 0, 6, -4, 40'001, -39'999, kLeast, kLeast + 1}));
  EXPECT_EQ(results(kMultiply, -2), (V{0, -2, 2, -10, 10, -80'000, 80'000, 2, 0}));
  EXPECT_EQ(results(kShiftRight, 1), (V{0, 0, -1, 2, -3, 20'000, -20'000, kMost / 2, kLeast / 2}));
  EXPECT_EQ(results(kShiftRight, 99), (V{0, 0, -1, 0, -1, 0, -1, 0, -1}));
  EXPECT_EQ(results(kShiftRight, -31), (V{0, kLeast, kLeast, kLeast, kLeast, 0, 0, kLeast, 0}));
  EXPECT_EQ(results(kShiftRight, -32), V(9));
}

TEST(Machine, a_second_operand_comes_from_the_accumulators) {
  Bench bench;
  bench.put(0, std::vector<int32_t>(32, 21));
  bench.put<uint32_t>(1024, {0 | 1 << 11});  // dst 0, src 1
  Instruction add = alu_by(AluOperation::kAdd, 0);
  add.immediate = false;
  ASSERT_FALSE(bench
                   .run({load_of(Memory::kMicroOps, 0, 256, 1),
                         load_of(Memory::kAccumulators, 0, 0, 2),
                         add,
                         {}})
                   .fault);
  int32_t sum = 0;
  std::memcpy(&sum, bench.machine.core().bytes(Memory::kAccumulators).data(), sizeof sum);
  EXPECT_EQ(sum, 42);
}

TEST(Machine, whoever_reaches_beyond_a_memory_gets_a_fault_with_the_place) {
  EXPECT_EQ(Bench().fault({{load_of(Memory::kInputs, 0, 4095, 2)}}, FaultKind::kMemory),
            "instruction 0: LOAD inputs[0..] <- 4095, 1 x 2 reaches byte 65536 of device memory, "
            "which has 65536");
  EXPECT_EQ(Bench().fault({{load_of(Memory::kWeights, 0, UINT32_MAX, 1)}}, FaultKind::kMemory),
            "instruction 0: LOAD weights[0..] <- 4294967295, 1 x 1 reaches byte 1099511627520 of "
            "device memory, which has 65536");
  Instruction strided = load_of(Memory::kInputs, 0, 0, 1);
  strided.transfer.rows = 3;
  strided.transfer.stride = 2048;
  EXPECT_NE(Bench().fault({strided}, FaultKind::kMemory), "");
  EXPECT_EQ(Bench().fault({{load_of(Memory::kInputs, 2047, 0, 2)}}, FaultKind::kBuffer),
            "instruction 0: LOAD inputs[2047..] <- 0, 1 x 2 reaches element 2048 of the inputs, "
            "which has 2048");
  EXPECT_NE(Bench().fault({{store_of(Memory::kAccumulators, 9000, 0, 1)}}, FaultKind::kBuffer), "");
  Instruction gemm = gemm_once();
  gemm.sweep.outer = 3;
  gemm.sweep.weight.outer = 512;
  EXPECT_EQ(Bench().fault({gemm}, FaultKind::kBuffer),
            "instruction 0: GEMM micro-ops 0..1, 3 x 1 times, dst +0 +0, src +0 +0 reaches element "
            "1024 of the weights, which has 1024");
  gemm.sweep.weight = {};
  gemm.sweep.src.outer = 1024;
  EXPECT_NE(Bench().fault({gemm}, FaultKind::kBuffer), "");
  gemm.sweep.src = {};
  gemm.sweep.dst.outer = 1024;
  EXPECT_NE(Bench().fault({gemm}, FaultKind::kBuffer), "");
  gemm.sweep.outer = 2;
  gemm.sweep.dst.outer = 2047;
  EXPECT_FALSE(Bench().run({gemm, {}}).fault);
}

TEST(Machine, modules_that_wait_for_each_other_are_found) {
  const Instruction waits = with(gemm_once(), {.pop_previous = true});
  EXPECT_EQ(Bench().fault({waits, {}}, FaultKind::kDeadlock),
            "instruction 0: the compute module waits for a token for ever");
  // Tokens that nobody takes fill their queue.
  Listing tokens(Machine::kTokens + 1, with(gemm_once(), kGive));
  EXPECT_EQ(Bench().fault(tokens, FaultKind::kDeadlock),
            "instruction 512: the compute module waits for room for a token for ever");
  // More commands than a queue holds keep those behind them from being fetched.
  Listing commands(Machine::kCommands + 1, waits);
  commands.push_back(with(load_of(Memory::kInputs, 0, 0, 1), kGive));
  EXPECT_EQ(Bench().fault(commands, FaultKind::kDeadlock),
            "instruction 0: the compute module waits for a token for ever");
}

TEST(Machine, a_program_that_does_not_finish_is_a_fault) {
  EXPECT_EQ(Bench().fault({}, FaultKind::kUnfinished),
            "instruction 0: the program ends without FINISH");
  EXPECT_EQ(Bench().fault({gemm_once()}, FaultKind::kUnfinished),
            "instruction 1: the program ends without FINISH");
  EXPECT_EQ(Bench().fault({{}, gemm_once()}, FaultKind::kUnfinished),
            "instruction 0: instructions follow it");
  EXPECT_EQ(Bench().fault({store_of(Memory::kAccumulators, 0, 0, 1), {}}, FaultKind::kUnfinished),
            "instruction 1: the store module still has work");
}

TEST(Machine, an_instruction_that_means_nothing_is_a_fault) {
  Bench bench;
  bench.put<uint8_t>(kCode, {7});
  const auto report = bench.machine.run({kCode, 1, 100});
  ASSERT_TRUE(report && report->fault);
  EXPECT_EQ(report->fault->kind, FaultKind::kIllegalInstruction);
  EXPECT_EQ(report->fault->text, "instruction 0: there is no opcode 7");
}

TEST(Machine, a_job_ends_with_its_cycles) {
  // 2^41 turns, and a micro-op for each that stays within the buffers.
  Instruction endless = gemm_once();
  endless.sweep = {.end = 8192, .outer = 16'383, .inner = 16'383};
  EXPECT_EQ(Bench().fault({endless, {}}, FaultKind::kCycles, 1000),
            "instruction 0: its 1000 cycles were used up");
  // Thousands that take a cycle each.
  Bench bench;
  const Report report = bench.run(Listing(1000, load_of(Memory::kInputs, 0, 0, 0)), 100);
  EXPECT_EQ(report.fault->kind, FaultKind::kCycles);
  EXPECT_EQ(report.counters.cycles, 100u);
}

TEST(Machine, it_can_be_told_to_hang_to_fail_and_to_lie) {
  using Kind = Misbehaviour::Kind;
  Bench hangs = product_bench({Kind::kHang, 2});
  EXPECT_EQ(hangs.fault(product_listing(), FaultKind::kCycles, 5000),
            "instruction 2: its 5000 cycles were used up");
  Bench fails = product_bench({Kind::kFault, 3});
  EXPECT_EQ(fails.fault(product_listing(), FaultKind::kHardware),
            "instruction 3: the device failed");
  EXPECT_EQ(fails.at<int32_t>(4096, 16), std::vector<int32_t>(16));
  Bench lies = product_bench({Kind::kWrongAnswer, 0});
  ASSERT_FALSE(lies.run(product_listing()).fault);
  EXPECT_EQ(lies.at<int32_t>(4096, 2), (std::vector<int32_t>{1, 136}));
  EXPECT_EQ(lies.at<int8_t>(8192, 1)[0], 0);
}

TEST(Machine, after_a_fault_it_takes_no_job_until_it_is_reset) {
  Bench bench = product_bench({Misbehaviour::Kind::kFault, 5});
  EXPECT_EQ(bench.fault(product_listing(), FaultKind::kHardware),
            "instruction 5: the device failed");
  const auto again = bench.machine.run({kCode, 6, 1000});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kUnavailable);
  bench.machine.reset();
  EXPECT_FALSE(bench.run({{}}).fault);
}

TEST(Machine, a_reset_leaves_nothing_of_its_last_owner) {
  Bench bench = product_bench();
  ASSERT_FALSE(bench.run(product_listing()).fault);
  const auto bytes_left = [&] {
    int64_t left = 0;
    for (uint32_t i = 0; i < kMemories; ++i) {
      for (const uint8_t byte : bench.machine.core().bytes(static_cast<Memory>(i)))
        left += byte != 0;
    }
    for (const uint8_t byte : bench.at<uint8_t>(0, 1 << 16)) left += byte != 0;
    return left;
  };
  EXPECT_GT(bytes_left(), 0);
  bench.machine.reset();
  EXPECT_EQ(bytes_left(), 0);
}

TEST(Machine, what_it_cannot_be_asked_is_refused) {
  Bench bench;
  std::vector<uint8_t> bytes(2);
  EXPECT_FALSE(bench.machine.write(65'535, bytes));
  EXPECT_FALSE(bench.machine.read(UINT64_MAX, bytes));
  EXPECT_TRUE(bench.machine.write(65'534, bytes));
  EXPECT_FALSE(bench.machine.run({8, 1, 1}));
  EXPECT_FALSE(bench.machine.run({65'536, 1, 1}));
  EXPECT_FALSE(bench.machine.run({0, UINT64_MAX, 1}));
  EXPECT_FALSE(bench.machine.run({0, 1, UINT64_MAX}));
  EXPECT_FALSE(bench.machine.faulted());
  EXPECT_FALSE(Machine::make({.memory_bytes = UINT64_MAX}));
  EXPECT_FALSE(Machine::make({.timing = {.memory_bytes_per_cycle = 0}}));
}

}  // namespace
}  // namespace casemate::npu
