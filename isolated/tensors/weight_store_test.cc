// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <iterator>
#include <vector>

#include "isolated/tensors/tensors.h"

namespace casemate::tensors {
namespace {

TEST(WeightStore, pieces_are_aligned_zeroed_and_apart) {
  auto store = WeightStore::make(1 << 20);
  ASSERT_TRUE(store) << store.error().text;
  const MutableBytes first = store->allocate(3).value();
  const MutableBytes second = store->allocate(130).value();
  for (const MutableBytes piece : {first, second}) {
    EXPECT_EQ(std::bit_cast<uintptr_t>(piece.data()) % WeightStore::kAlignment, 0u);
    EXPECT_TRUE(std::ranges::all_of(piece, [](uint8_t byte) { return byte == 0; }));
  }
  EXPECT_GE(second.data(), first.data() + first.size());
  EXPECT_EQ(store->used(), 64u + 192u);
}

TEST(WeightStore, starts_on_a_huge_page) {
  auto store = WeightStore::make(64);
  ASSERT_TRUE(store);
  EXPECT_EQ(std::bit_cast<uintptr_t>(store->allocate(1)->data()) % WeightStore::kHugePage, 0u);
}

TEST(WeightStore, refuses_more_than_its_limit_and_says_how_much) {
  auto store = WeightStore::make(WeightStore::kHugePage);
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->allocate(WeightStore::kHugePage - 64));
  EXPECT_TRUE(store->allocate(64));
  const auto refused = store->allocate(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_NE(refused.error().text.find("1 bytes more"), std::string::npos) << refused.error().text;
  EXPECT_FALSE(store->allocate(UINT64_MAX));
  EXPECT_FALSE(WeightStore::make(UINT64_MAX));
}

size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST(WeightStore, holds_no_descriptor_when_sealed) {
  const size_t before = descriptors();
  std::vector<WeightStore> stores;
  for (int i = 0; i < 20; ++i) {
    stores.push_back(*WeightStore::make(1 << 20));
    ASSERT_TRUE(stores.back().allocate(10));
    ASSERT_TRUE(stores.back().seal());
  }
  EXPECT_EQ(descriptors(), before);
}

TEST(WeightStore, keeps_bytes_and_addresses_when_sealed) {
  auto store = WeightStore::make(8 << 20);
  ASSERT_TRUE(store);
  const MutableBytes small = store->allocate(10).value();
  const MutableBytes large = store->allocate(5 << 20).value();
  std::ranges::fill(small, uint8_t{7});
  std::ranges::fill(large, uint8_t{9});
  const Status sealed = store->seal();
  ASSERT_TRUE(sealed) << sealed.error().text;
  EXPECT_TRUE(store->sealed());
  EXPECT_TRUE(std::ranges::all_of(small, [](uint8_t byte) { return byte == 7; }));
  EXPECT_TRUE(std::ranges::all_of(large, [](uint8_t byte) { return byte == 9; }));
}

TEST(WeightStore, an_empty_store_can_be_sealed) {
  auto store = WeightStore::make(100);
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->seal());
}

TEST(WeightStore, a_moved_store_keeps_its_pieces) {
  WeightStore outer;
  MutableBytes piece;
  {
    auto inner = WeightStore::make(100);
    ASSERT_TRUE(inner);
    piece = inner->allocate(4).value();
    outer = *std::move(inner);
  }
  piece[0] = 5;
  EXPECT_EQ(piece[0], 5);
}

TEST(WeightStoreDeathTest, a_write_after_seal_is_a_segmentation_fault) {
  auto store = WeightStore::make(100);
  ASSERT_TRUE(store);
  const MutableBytes piece = store->allocate(4).value();
  ASSERT_TRUE(store->seal());
  EXPECT_EXIT(
      {
        // The sanitizer's own handler would turn the signal into an exit.
        ::signal(SIGSEGV, SIG_DFL);
        *static_cast<volatile uint8_t*>(piece.data()) = 1;
      },
      testing::KilledBySignal(SIGSEGV), "");
}

TEST(WeightStore, sealed_pages_cannot_be_made_writable_for_others) {
  auto store = WeightStore::make(4096);
  ASSERT_TRUE(store);
  const MutableBytes piece = store->allocate(4096).value();
  ASSERT_TRUE(store->seal());
  // A taken-over child either gets a refusal or a private copy, never the shared page.
  const pid_t child = ::fork();
  if (child == 0) {
    if (::mprotect(piece.data(), 4096, PROT_READ | PROT_WRITE) == 0) piece[0] = 66;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(piece[0], 0);
}

TEST(WeightStore, a_forked_child_reads_the_same_bytes) {
  auto store = WeightStore::make(4096);
  ASSERT_TRUE(store);
  const MutableBytes piece = store->allocate(8).value();
  piece[3] = 42;
  ASSERT_TRUE(store->seal());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(piece[3]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

}  // namespace
}  // namespace casemate::tensors
