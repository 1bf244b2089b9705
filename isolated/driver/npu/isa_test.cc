// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/isa.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace casemate::npu {
namespace {

using Word = ByteArray<kInstructionBytes>;

Word word_of(uint64_t low, uint64_t high) {
  Word word;
  std::memcpy(word.data(), &low, 8);
  std::memcpy(word.data() + 8, &high, 8);
  return word;
}

std::string refusal_of_word(uint64_t low, uint64_t high) {
  const auto instruction = decode(word_of(low, high));
  return instruction ? "none" : instruction.error().text;
}

TEST(Isa, fields_lie_where_the_header_says) {
  Instruction load{.opcode = Opcode::kLoad, .tokens = {.pop_next = true, .push_next = true}};
  load.transfer = {.memory = Memory::kInputs,
                   .buffer = 5,
                   .pad_value = -1,
                   .device = 7,
                   .rows = 2,
                   .columns = 3,
                   .stride = 4,
                   .pad_above = 1,
                   .pad_below = 2,
                   .pad_left = 3,
                   .pad_right = 4};
  EXPECT_EQ(*encode(load), word_of(0x7ff001550, 0x4321000400030002));
  Instruction gemm{.opcode = Opcode::kGemm, .tokens = {.pop_previous = true, .push_next = true}};
  gemm.sweep = {3, 8192, 9, 10, {1, 2}, {3, 4}, {5, 1023}};
  EXPECT_EQ(*encode(gemm), word_of(0x14004c0000034a, 0xffc0500800c01001));
  Instruction alu{.opcode = Opcode::kAlu, .tokens = {.push_previous = true}};
  alu.sweep = {3, 4, 16383, 10, {2047, 2}, {3, 4}, {}};
  alu.operation = AluOperation::kShiftRight;
  alu.immediate = true;
  alu.value = -5;
  EXPECT_EQ(*encode(alu), word_of(0x15fff800800324, 0xfffbb00800c017ff));
  for (const Instruction& i : {load, gemm, alu}) EXPECT_EQ(*decode(*encode(i)), i) << text_of(i);
}

TEST(Isa, whatever_decodes_encodes_to_the_same_bits) {
  std::mt19937_64 random(1);
  size_t decoded = 0;
  for (int i = 0; i < 200'000; ++i) {
    // Clears what is mostly wrong, so that enough of them are right.
    const uint64_t low = random() & 0x7fff'ffff'ffff'fff7;
    const Word word = word_of(random() % 2 == 0 ? low : low & ~0x80ull, random());
    const auto instruction = decode(word);
    if (!instruction) continue;
    ++decoded;
    ASSERT_EQ(*encode(*instruction), word) << text_of(*instruction);
  }
  EXPECT_GT(decoded, 10'000u);
}

TEST(Isa, every_micro_op_has_its_word) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    const auto word = static_cast<uint32_t>(random());
    EXPECT_EQ(*encode(decode_micro_op(word)), word);
  }
  EXPECT_EQ(*encode(MicroOp{1, 2, 3}), 1u | 2u << 11 | 3u << 22);
  EXPECT_FALSE(encode(MicroOp{.weight = 1024}));
}

TEST(Isa, what_means_nothing_is_refused) {
  EXPECT_EQ(refusal_of_word(5, 0), "there is no opcode 5");
  EXPECT_EQ(refusal_of_word(3, 1), "a bit is set that means nothing");
  EXPECT_EQ(refusal_of_word(2 | 1ull << 63, 0), "a bit is set that means nothing");
  EXPECT_EQ(refusal_of_word(4 | 1 << 7, 0), "a bit is set that means nothing");
  EXPECT_EQ(refusal_of_word(0 | 5 << 7, 0), "there is no memory 5");
  EXPECT_EQ(refusal_of_word(0 | 4 << 7, 0), "outputs cannot be loaded");
  EXPECT_EQ(refusal_of_word(1 | 2 << 7, 0), "inputs cannot be stored");
  EXPECT_EQ(refusal_of_word(1 | 4 << 7, 1ull << 60), "a store does not pad");
  EXPECT_EQ(refusal_of_word(2 | 5 << 8 | 4ull << 21, 0), "it runs micro-ops 5 to 4");
  EXPECT_EQ(refusal_of_word(2 | 8193ull << 21, 0), "it runs micro-ops 0 to 8193");
  EXPECT_EQ(refusal_of_word(4, 5ull << 44), "the ALU has no operation 5");
  EXPECT_EQ(refusal_of_word(0 | 2 << 7 | 1 << 3, 0), "nothing comes before the load module");
  EXPECT_EQ(refusal_of_word(1 | 4 << 7 | 1 << 6, 0), "nothing comes behind the store module");
}

TEST(Isa, numbers_that_have_too_many_bits_are_not_cut) {
  Instruction gemm{.opcode = Opcode::kGemm};
  gemm.sweep.weight.inner = 1024;
  EXPECT_EQ(encode(gemm).error().text, "its field 'inner step of the weights' has too few bits");
  Instruction load{.opcode = Opcode::kLoad};
  load.transfer.pad_left = 16;
  EXPECT_EQ(encode(load).error().text, "its field 'padding on the left' has too few bits");
}

TEST(Isa, instructions_read_as_text) {
  Instruction load{.opcode = Opcode::kLoad, .tokens = {.pop_next = true}};
  load.transfer = {.memory = Memory::kInputs,
                   .buffer = 5,
                   .pad_value = -1,
                   .device = 7,
                   .rows = 2,
                   .columns = 3,
                   .stride = 4,
                   .pad_left = 3};
  EXPECT_EQ(text_of(load),
            "LOAD inputs[5..] <- 7, 2 x 3 of stride 4, padded by 0 3 0 0 with -1 "
            "?next");
  EXPECT_EQ(text_of(Instruction{.tokens = {.push_next = true}}), "FINISH !next");
}

}  // namespace
}  // namespace casemate::npu
