// SPDX-License-Identifier: Apache-2.0
// The host's table of certificates (configfs-tsm: auxblob), which nobody signed: every number in it
// is held against its bounds before it is followed.
#include <gtest/gtest.h>

#include <algorithm>

#include "outside/verify/snp/codes.h"
#include "outside/verify/snp/testing/judged.h"

namespace casemate::verify::snp {
namespace {

using Table = std::vector<uint8_t>;
using testing::Reporter;
using testing::table_of;

constexpr size_t kEntry = 24;

// With other numbers in entry `which`.
Table with_entry(Table table, size_t which, uint32_t offset, uint32_t size) {
  const auto at = table.begin() + static_cast<std::ptrdiff_t>(which * kEntry);
  std::ranges::copy(bytes_of(offset), at + 16);
  std::ranges::copy(bytes_of(size), at + 20);
  return table;
}

uint32_t offset_in(const Table& table, size_t which) {
  return load<uint32_t>(Bytes(table).subspan(which * kEntry + 16));
}
uint32_t size_in(const Table& table, size_t which) {
  return load<uint32_t>(Bytes(table).subspan(which * kEntry + 20));
}

// What becomes of a report with the table behind it.
std::string outcome_behind(const Reporter& reporter, const Table& table) {
  auto evidence = reporter.evidence();
  evidence.insert(evidence.end(), table.begin(), table.end());
  return testing::judge(evidence, {}, reporter.rules()).outcome();
}

// And with it apart, among the collateral, where it is one file of many.
std::string outcome_beside(const Reporter& reporter, const Table& table) {
  Collateral collateral;
  EXPECT_TRUE(collateral.add("auxblob", table));
  return testing::judge(reporter.evidence(), collateral, reporter.rules()).outcome();
}

void expect_no_table(const Reporter& reporter, const Table& table, std::string_view why) {
  EXPECT_TRUE(table_blobs(table).empty()) << why;
  EXPECT_EQ(outcome_behind(reporter, table), code::kForm.code) << why;
  EXPECT_EQ(outcome_beside(reporter, table), code::kKey.code) << why;
}

TEST(SnpTable, gives_each_blob_where_its_entry_says) {
  const Reporter reporter;
  const auto certificates = reporter.certificates();
  const Table table = table_of(certificates);
  const auto blobs = table_blobs(table);
  ASSERT_EQ(blobs.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(std::ranges::equal(blobs[i], certificates[i]));
  EXPECT_EQ(outcome_behind(reporter, table), "accepted");
  EXPECT_EQ(outcome_beside(reporter, table), "accepted");
}

TEST(SnpTable, whose_entries_point_beyond_its_end_is_none) {
  const Reporter reporter;
  const Table good = table_of(reporter.certificates());
  const auto end = static_cast<uint32_t>(good.size());
  for (size_t i = 0; i < 3; ++i) {
    const uint32_t offset = offset_in(good, i);
    const uint32_t size = size_in(good, i);
    const auto bent = [&](uint32_t new_offset, uint32_t new_size) {
      return with_entry(good, i, new_offset, new_size);
    };
    ASSERT_FALSE(table_blobs(bent(end, 0)).empty()) << "the last place where nothing fits";
    expect_no_table(reporter, bent(end + 1, 0), "begins behind the end");
    expect_no_table(reporter, bent(end, 1), "one byte behind the end");
    expect_no_table(reporter, bent(offset, end - offset + 1), "ends behind the end");
    // Sums that 32 bits would not hold.
    expect_no_table(reporter, bent(offset, UINT32_MAX), "endless");
    expect_no_table(reporter, bent(offset, UINT32_MAX - offset + 1), "ends at 0");
    expect_no_table(reporter, bent(UINT32_MAX, size), "begins at the end of 32 bits");
    expect_no_table(reporter, bent(UINT32_MAX - size + 1, size), "ends at 0");
  }
}

TEST(SnpTable, whose_entries_share_bytes_until_there_are_more_of_them_than_there_are_is_none) {
  const Reporter reporter;
  const Table good = table_of(reporter.certificates());
  Table all = good;
  for (size_t i = 0; i < 3; ++i) all = with_entry(all, i, 0, static_cast<uint32_t>(good.size()));
  expect_no_table(reporter, all, "each entry is the whole table");
  EXPECT_FALSE(table_blobs(with_entry(good, 0, 0, 0)).empty()) << "an empty blob is one";
}

TEST(SnpTable, without_an_end_or_with_too_many_entries_is_none) {
  const Reporter reporter;
  const auto entries = [](size_t count, size_t rest) {
    Table table(count * kEntry);
    for (size_t i = 0; i < count; ++i) table[i * kEntry] = 0x63;  // of the GUID; no bytes at 0
    table.resize(table.size() + rest);
    return table;
  };
  EXPECT_EQ(table_blobs(entries(3, kEntry)).size(), 3u);
  expect_no_table(reporter, entries(3, 0), "ends with an entry");
  expect_no_table(reporter, entries(3, kEntry - 1), "ends in the middle of the end");
  EXPECT_EQ(table_blobs(entries(32, kEntry)).size(), 32u);
  expect_no_table(reporter, entries(33, kEntry), "33 entries");
  for (size_t size = 1; size < kEntry; ++size)
    EXPECT_TRUE(table_blobs(Table(size, 0x63)).empty()) << size;
}

TEST(SnpTable, of_more_than_64_kib_is_none) {
  const Reporter reporter;
  const auto filled = [](size_t size) {
    Table blob(size - 2 * kEntry, 0xEE);
    return table_of({blob});
  };
  EXPECT_EQ(table_blobs(filled(64 << 10)).size(), 1u);
  expect_no_table(reporter, filled((64 << 10) + 1), "larger than any kernel takes");
}

TEST(SnpTable, with_more_certificates_than_anybody_needs_is_refused) {
  const Reporter reporter;
  const auto with = [&](size_t count) {
    auto certificates = reporter.certificates();
    while (certificates.size() < count) certificates.push_back(certificates.back());
    return table_of(certificates);
  };
  for (const auto& outcome_of : {outcome_behind, outcome_beside}) {
    EXPECT_EQ(outcome_of(reporter, with(16)), "accepted");
    EXPECT_EQ(outcome_of(reporter, with(17)), code::kKey.code);
  }
}

// Whatever single byte of the table's numbers is changed: either it is no table, or a certificate
// is not where it says, and the chain is broken.
TEST(SnpTable, no_changed_number_leaves_the_chain_whole) {
  const Reporter reporter;
  const Table good = table_of(reporter.certificates());
  for (size_t i = 0; i < 3; ++i) {
    for (size_t at = i * kEntry + 16; at < (i + 1) * kEntry; ++at) {
      for (const auto change : std::initializer_list<uint8_t>{0x01, 0x10, 0x80, 0xFF}) {
        Table bent = good;
        bent[at] ^= change;
        EXPECT_NE(outcome_behind(reporter, bent), "accepted") << at;
        EXPECT_NE(outcome_beside(reporter, bent), "accepted") << at;
      }
    }
  }
}

}  // namespace
}  // namespace casemate::verify::snp
