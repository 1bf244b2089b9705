// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/share.h"

#include <gtest/gtest.h>

#include <bit>
#include <memory>

namespace casemate {
namespace {

std::vector<uint64_t> masks(const std::vector<Allotment>& allotments) {
  std::vector<uint64_t> all;
  for (const Allotment& each : allotments) all.push_back(each.cpu_mask);
  return all;
}

std::vector<uint32_t> quotas(const std::vector<Allotment>& allotments) {
  std::vector<uint32_t> all;
  for (const Allotment& each : allotments) all.push_back(each.cpu_percent);
  return all;
}

std::vector<Allotment> allotted(uint64_t cores, std::vector<uint32_t> shares,
                                uint32_t cpu_percent = 0) {
  return allot(cores, cpu_percent, shares);
}

TEST(Share, that_makes_whole_cores_has_them_alone) {
  const auto halves = allotted(0b11, {50, 50});
  EXPECT_EQ(masks(halves), (std::vector<uint64_t>{0b01, 0b10}));
  EXPECT_TRUE(halves[0].whole() && halves[1].whole());
  const auto uneven = allotted(0b1111'0000, {25, 75});
  EXPECT_EQ(masks(uneven), (std::vector<uint64_t>{0b1000'0000, 0b0111'0000}));
  EXPECT_TRUE(uneven[0].whole() && uneven[1].whole());
}

TEST(Share, of_parts_of_cores_is_a_quota_on_as_few_as_there_is_room_on) {
  const auto quarters = allotted(0b11, {25, 25, 25, 25});
  EXPECT_EQ(masks(quarters), (std::vector<uint64_t>{0b01, 0b10, 0b01, 0b10}));
  EXPECT_EQ(quotas(quarters), (std::vector<uint32_t>{50, 50, 50, 50}));
  EXPECT_FALSE(quarters[0].whole());
  const auto uneven = allotted(0b11, {15, 30, 20, 35});
  EXPECT_EQ(masks(uneven), (std::vector<uint64_t>{0b01, 0b10, 0b10, 0b01}));
  const auto one_and_a_half = allotted(0b11, {25, 75});
  EXPECT_EQ(masks(one_and_a_half), (std::vector<uint64_t>{0b10, 0b11}));
  EXPECT_EQ(quotas(one_and_a_half), (std::vector<uint32_t>{50, 150}));
}

TEST(Share, leaves_cores_whole_for_those_that_need_whole_ones) {
  const auto mixed = allotted(0b111, {16, 34, 50});  // 48 %, 102 % and 150 % of a core
  EXPECT_EQ(quotas(mixed), (std::vector<uint32_t>{48, 102, 150}));
  const auto later = allotted(0b1111, {12, 25, 50});
  EXPECT_EQ(quotas(later), (std::vector<uint32_t>{48, 100, 200}));
  EXPECT_EQ(masks(later), (std::vector<uint64_t>{0b1000, 0b0100, 0b0011}));
}

TEST(Share, is_of_the_partitions_quota_where_it_has_one) {
  const auto halves = allotted(0b11, {50, 50}, 100);
  EXPECT_EQ(quotas(halves), (std::vector<uint32_t>{50, 50}));
  EXPECT_EQ(masks(halves), (std::vector<uint64_t>{0b01, 0b10})) << "no need to meet";
  EXPECT_EQ(quotas(allotted(0b11, {50, 50}, 6400)), (std::vector<uint32_t>{100, 100}));
}

TEST(Share, never_has_a_core_handed_out_twice_over) {
  for (uint32_t first = 1; first < 99; ++first) {
    for (uint32_t second = 1; second < 100 - first; second += 7) {
      const auto all = allotted(0b1011, {first, second, 100 - first - second});
      uint64_t used = 0;
      for (const Allotment& each : all) {
        EXPECT_EQ(each.cpu_mask & ~uint64_t{0b1011}, 0u);
        EXPECT_GE(each.cores() * 100, each.cpu_percent);
        used |= each.cpu_mask;
        for (const Allotment& other : all) {
          if (&other == &each || !each.whole()) continue;
          EXPECT_EQ(each.cpu_mask & other.cpu_mask, 0u);
        }
      }
      EXPECT_EQ(used, 0b1011u);
    }
  }
}

TEST(Share, of_none_says_nothing) {
  const auto none = allotted(0b11, {0, 0});
  EXPECT_EQ(masks(none), (std::vector<uint64_t>{0, 0}));
  EXPECT_EQ(quotas(none), (std::vector<uint32_t>{0, 0}));
}

TEST(CoresHere, are_one_at_least) { EXPECT_GE(std::popcount(cores_here()), 1); }

}  // namespace
}  // namespace casemate
