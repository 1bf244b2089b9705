// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/event_log/event_log.h"

#include <gtest/gtest.h>

#include "outside/verify/event_log/testing/log_writer.h"

namespace casemate::verify {
namespace {

using testing::LogWriter;

constexpr uint32_t kSeparator = 4;
constexpr uint32_t kCrtm = 8;

LogWriter small_log() {
  LogWriter log;
  log.event(0, kCrtm, "version 1").event(7, 0x80000001, "variable");
  log.event(0, kSeparator, std::string_view("\0\0\0\0", 4));
  return log;
}

// What a TPM holds after the contents, by SHA-256.
std::vector<uint8_t> extended(std::vector<std::string_view> contents, uint8_t locality = 0) {
  std::vector<uint8_t> value(32);
  value.back() = locality;
  for (const auto content : contents) {
    const auto digest = sha256(bytes_of(content));
    value.insert(value.end(), digest.begin(), digest.end());
    const auto next = sha256(value);
    value.assign(next.begin(), next.end());
  }
  return value;
}

Result<EventLog> read(Bytes bytes) { return EventLog::read(bytes, LogHash::kSha256); }

void expect_refused(Bytes bytes, std::string_view words) {
  const auto log = read(bytes);
  ASSERT_FALSE(log) << words;
  EXPECT_NE(log.error().text.find(words), std::string::npos) << log.error().text;
}

TEST(EventLogs, replay_to_what_each_register_holds) {
  const auto bytes = small_log().log();  // which events are views of
  const auto log = read(bytes);
  ASSERT_TRUE(log) << log.error().text;
  ASSERT_EQ(log->events().size(), 3u);
  EXPECT_EQ(log->events()[1].index, 7u);
  EXPECT_EQ(log->events()[1].type, 0x80000001u);
  EXPECT_EQ(text_of(log->events()[1].data), "variable");
  EXPECT_TRUE(log->events()[1].data_measured);
  EXPECT_EQ(log->replay(0), extended({"version 1", std::string_view("\0\0\0\0", 4)}));
  EXPECT_EQ(log->replay(7), extended({"variable"}));
  EXPECT_EQ(log->replay(1), std::vector<uint8_t>(32));
  const auto longer = EventLog::read(bytes, LogHash::kSha384);
  ASSERT_TRUE(longer) << longer.error().text;
  EXPECT_EQ(longer->replay(7).size(), 48u);
}

TEST(EventLogs, are_told_by_how_they_begin) {
  const auto whole = small_log().log();
  EXPECT_TRUE(EventLog::looks_like(whole));
  for (size_t size = 0; size <= 48; ++size)
    EXPECT_FALSE(EventLog::looks_like(Bytes(whole).first(size))) << size;
  EXPECT_TRUE(EventLog::looks_like(Bytes(whole).first(49)));
  for (const size_t at : {4u, 32u, 47u}) {
    auto changed = whole;
    changed[at] ^= 1;
    EXPECT_FALSE(EventLog::looks_like(changed)) << at;
  }
}

TEST(EventLogs, tell_data_that_were_measured_from_data_that_were_not) {
  LogWriter log;
  log.event(4, 0x80000003, "a description of the boot loader", "the boot loader");
  const auto bytes = log.log();
  const auto read_log = read(bytes);
  ASSERT_TRUE(read_log);
  EXPECT_FALSE(read_log->events()[0].data_measured);
  EXPECT_EQ(read_log->replay(4), extended({"the boot loader"}));
}

TEST(EventLogs, skip_what_was_written_down_and_not_measured) {
  LogWriter log = small_log();
  log.event(0, LogWriter::kNoAction, "remark");
  EXPECT_EQ(read(log.log())->replay(0), read(small_log().log())->replay(0));
}

TEST(EventLogs, start_pcr_0_at_the_locality_that_started_the_tpm) {
  LogWriter log;
  log.event(0, LogWriter::kNoAction, std::string_view("StartupLocality\0\3", 17));
  log.event(0, kCrtm, "version 1");
  log.event(1, kCrtm, "settings");
  EXPECT_EQ(read(log.log())->replay(0), extended({"version 1"}, 3));
  EXPECT_EQ(read(log.log())->replay(1), extended({"settings"}));
}

TEST(EventLogs, end_where_the_table_is_longer) {
  LogWriter log = small_log();
  log.number<uint32_t>(0xFFFFFFFF).bytes(ByteArray<100>{});
  const auto bytes = log.log();
  const auto read_log = read(bytes);
  ASSERT_TRUE(read_log) << read_log.error().text;
  EXPECT_EQ(read_log->events().size(), 3u);
}

TEST(EventLogs, are_refused_when_cut_but_between_events) {
  const auto whole = small_log().log();
  size_t good = 0;
  for (size_t size = 0; size < whole.size(); ++size) good += read(Bytes(whole).first(size)) ? 1 : 0;
  EXPECT_EQ(good, 3u) << "after the header and after each event but the last";
}

TEST(EventLogs, are_refused_with_the_event_and_the_reason) {
  expect_refused({}, "ends after 0 of 4");
  const auto whole = small_log().log();
  constexpr size_t kName = 32;
  constexpr size_t kCount = kName + 24;
  constexpr size_t kFirst = kCount + 4 + 12 + 1;
  const auto changed = [&](size_t at, uint8_t value) {
    auto bytes = whole;
    bytes[at] = value;
    return bytes;
  };
  expect_refused(changed(4, 4), "begins with an event that measures nothing");
  expect_refused(changed(kName, 'X'), "not crypto-agile");
  expect_refused(changed(kCount + 3, 1), "hashes");
  expect_refused(changed(kCount + 4 + 4, 4), "twice");
  expect_refused(changed(kCount + 4 + 6, 20), "wrong size");
  expect_refused(changed(kFirst + 1, 1), "event 1 of the log");
  expect_refused(changed(kFirst, 24), "no register 24");
  expect_refused(changed(kFirst + 8, 2), "2 digests");
  expect_refused(changed(kFirst + 12, 5), "does not name");
  expect_refused(changed(kFirst + 12, 0xB), "");
  LogWriter doubled;
  doubled.number<uint32_t>(0).number<uint32_t>(kCrtm).number<uint32_t>(3);
  for (int i = 0; i < 3; ++i) doubled.number<uint16_t>(0xB).bytes(ByteArray<32>{});
  expect_refused(doubled.number<uint32_t>(0).log(), "two digests of one hash");
  LogWriter without;
  without.number<uint32_t>(0).number<uint32_t>(kCrtm).number<uint32_t>(3);
  for (int i = 0; i < 3; ++i) without.number<uint16_t>(0x4).bytes(ByteArray<20>{});
  expect_refused(without.number<uint32_t>(0).log(), "no digest of the hash");
  expect_refused(std::vector<uint8_t>(EventLog::kBytes + 1), "over the limit");
}

TEST(EventLogs, no_change_of_a_digest_replays_to_the_same) {
  const auto whole = small_log().log();
  const auto before = read(whole)->replay(7);
  size_t other = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    auto changed = whole;
    changed[i] ^= 1;
    const auto log = read(changed);
    if (log && log->replay(7) != before) ++other;
  }
  EXPECT_EQ(other, 32u + 2u) << "its digest, its register, and a length that swallows it";
}

}  // namespace
}  // namespace casemate::verify
