// SPDX-License-Identifier: Apache-2.0
#include "isolated/infer/infer.h"

#include <gtest/gtest.h>

#include <limits>

namespace casemate::infer {
namespace {

constexpr size_t kRegion = 4096;

// A region with two tensors, as an honest peer writes them.
struct Region {
  Region() {
    const std::array<float, 6> values{1, 2, 3, 4, 5, 6};
    const std::array<uint8_t, 3> bytes{7, 8, 9};
    const std::array<TensorView, 2> tensors{
        TensorView{ElementType::kFloat32, {2, 3}, bytes_of(values)},
        TensorView{ElementType::kUint8, {3}, bytes_of(bytes)}};
    EXPECT_TRUE(write_tensors(tensors, memory));
    table = load<TensorTable>(memory);
  }
  // Reads with the table as it was changed.
  Result<std::vector<TensorView>> read() {
    std::ranges::copy(bytes_of(table), memory.begin());
    return read_tensors(memory);
  }
  std::string refusal() {
    const auto tensors = read();
    return tensors ? "accepted" : tensors.error().text;
  }
  std::vector<uint8_t> memory = std::vector<uint8_t>(kRegion);
  TensorTable table;
};

TEST(Tensors, come_out_as_they_went_in) {
  Region region;
  const auto tensors = region.read();
  ASSERT_TRUE(tensors) << tensors.error().text;
  ASSERT_EQ(tensors->size(), 2u);
  EXPECT_EQ((*tensors)[0].type, ElementType::kFloat32);
  EXPECT_EQ((*tensors)[0].shape, (Shape{2, 3}));
  EXPECT_EQ(load<float>((*tensors)[0].data.subspan(20)), 6);
  EXPECT_EQ((*tensors)[1].data[2], 9);
}

TEST(Tensors, may_be_none_or_as_many_as_a_model_has_ports) {
  std::vector<uint8_t> memory(kRegion);
  ASSERT_TRUE(write_tensors({}, memory));
  EXPECT_TRUE(read_tensors(memory)->empty());
  std::vector<TensorView> many(limits::kModelPorts, {ElementType::kInt8, Shape{0}, Bytes()});
  ASSERT_TRUE(write_tensors(many, memory));
  EXPECT_EQ(read_tensors(memory)->size(), many.size());
  many.push_back(many.front());
  EXPECT_EQ(write_tensors(many, memory).error().code, Code::kTooLarge);
}

TEST(Tensors, that_do_not_fit_are_refused_by_the_writer) {
  std::vector<uint8_t> memory(256);
  const std::vector<uint8_t> data(200);
  const TensorView tensor{ElementType::kUint8, {200}, data};
  EXPECT_EQ(write_tensors({&tensor, 1}, memory).error().code, Code::kTooLarge);
}

TEST(LyingTables, claim_more_tensors_than_there_is_room_for) {
  Region region;
  region.table.count = limits::kModelPorts + 1;
  EXPECT_FALSE(region.read());
  region.table.count = std::numeric_limits<uint32_t>::max();
  EXPECT_FALSE(region.read());
  EXPECT_FALSE(read_tensors({}));
  EXPECT_FALSE(read_tensors(Bytes(region.memory).first(4)));
  region.table.count = 2;
  ASSERT_TRUE(region.read());
  EXPECT_FALSE(read_tensors(Bytes(region.memory).first(100))) << "the table itself is cut";
}

TEST(LyingTables, place_a_tensor_outside_the_region) {
  const uint64_t max = std::numeric_limits<uint64_t>::max();
  for (const uint64_t offset :
       {uint64_t{kRegion}, uint64_t{kRegion} + 64, max - 63, uint64_t{65}}) {
    Region region;
    region.table.entries[0].offset = offset;
    EXPECT_NE(region.refusal(), "accepted") << offset;
  }
  for (const uint64_t size : {uint64_t{kRegion}, max, max - 64}) {
    Region region;
    region.table.entries[1].size = size;
    EXPECT_NE(region.refusal(), "accepted") << size;
  }
}

TEST(LyingTables, name_no_type_or_an_impossible_shape) {
  for (const uint32_t type : {0u, 14u, 255u, 0xFFFFFFFFu}) {
    Region region;
    region.table.entries[0].type = type;
    EXPECT_NE(region.refusal(), "accepted") << type;
  }
  Region rank;
  rank.table.entries[0].rank = limits::kRank + 1;
  EXPECT_NE(rank.refusal(), "accepted");
  const int64_t max = std::numeric_limits<int64_t>::max();
  for (const int64_t extent : {int64_t{-1}, int64_t{1}, int64_t{1} << 40, max, -max - 1}) {
    Region region;
    region.table.entries[0].dims[0] = extent;
    EXPECT_NE(region.refusal(), "accepted") << extent;
  }
  Region wraps;  // 2^32 * 2^32 elements, and a size that says 0
  wraps.table.entries[0].dims[0] = wraps.table.entries[0].dims[1] = int64_t{1} << 32;
  wraps.table.entries[0].size = 0;
  EXPECT_NE(wraps.refusal(), "accepted");
}

TEST(LyingTables, change_nothing_once_they_were_read) {
  Region region;
  const auto tensors = region.read();
  ASSERT_TRUE(tensors);
  std::ranges::fill(region.memory, uint8_t{0xFF});
  EXPECT_EQ((*tensors)[0].shape, (Shape{2, 3}));
  EXPECT_EQ((*tensors)[0].data.size(), 24u);
}

}  // namespace
}  // namespace casemate::infer
