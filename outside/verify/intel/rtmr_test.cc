// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/rtmr.h"

#include <gtest/gtest.h>

#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/intel/testing/vectors.h"

namespace casemate::verify::intel {
namespace {

using testing::Kind;
using testing::TestPlatform;

template <class T>
void put(std::vector<uint8_t>& to, const T& value) {
  const Bytes bytes = bytes_of(value);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

std::vector<uint8_t> log_head() {
  std::vector<uint8_t> log;
  put(log, uint32_t{1});
  put(log, uint32_t{3});
  log.resize(28);
  put(log, uint32_t{33});
  const std::string_view name("Spec ID Event03\0", 16);
  log.insert(log.end(), name.begin(), name.end());
  log.insert(log.end(), 8, 0);
  put(log, uint32_t{1});
  put(log, uint16_t{0x0C});
  put(log, uint16_t{48});
  log.push_back(0);
  return log;
}

void add_event(std::vector<uint8_t>& log, uint32_t index, uint32_t kind, std::string_view data,
               bool hashed = true) {
  put(log, index);
  put(log, kind);
  put(log, uint32_t{1});
  put(log, uint16_t{0x0C});
  put(log, hashed ? sha384(bytes_of(data)) : Sha384Digest{7});
  put(log, static_cast<uint32_t>(data.size()));
  log.insert(log.end(), data.begin(), data.end());
}

std::vector<uint8_t> short_log() {
  std::vector<uint8_t> log = log_head();
  add_event(log, 0, 3, "nothing that is measured", false);
  add_event(log, 1, 0x80000001, "a variable");
  add_event(log, 2, 0x80000007, "an action");
  add_event(log, 2, 0x0D, "a remark", false);
  put(log, uint32_t{0xFFFFFFFF});
  log.insert(log.end(), 20, 0xFF);
  return log;
}

TEST(EventLog, is_replayed_without_what_is_no_action) {
  const auto replayed = replay(short_log());
  ASSERT_TRUE(replayed.has_value()) << replayed.error().text;
  EXPECT_EQ(replayed->events, 3u);
  Sha384Digest first{};
  first = Sha384().update(first).update(sha384(bytes_of(std::string_view("a variable")))).finish();
  EXPECT_EQ(replayed->rtmr[0], first);
  EXPECT_NE(replayed->rtmr[1], Sha384Digest{});
  EXPECT_EQ(replayed->rtmr[2], Sha384Digest{});
}

TEST(EventLog, that_is_cut_off_inside_of_an_event_is_refused) {
  const std::vector<uint8_t> log = short_log();
  size_t whole = 0;
  for (size_t size = 0; size < log.size() - 24; ++size) {
    const std::vector<uint8_t> cut(log.begin(), log.begin() + static_cast<ptrdiff_t>(size));
    if (replay(cut)) ++whole;
  }
  // It may end after its head and after each of the first three events.
  EXPECT_EQ(whole, 4u);
}

TEST(EventLog, whose_data_are_not_those_of_their_digest_is_refused) {
  std::vector<uint8_t> log = log_head();
  add_event(log, 1, 0x00000004, "a separator", false);
  EXPECT_FALSE(replay(log).has_value());
}

TEST(EventLog, of_an_unknown_register_or_digest_is_refused) {
  std::vector<uint8_t> log = log_head();
  add_event(log, 5, 0x0D, "x");
  EXPECT_FALSE(replay(log).has_value());
  log = log_head();
  add_event(log, 0, 0x0D, "x");
  EXPECT_FALSE(replay(log).has_value());
  log = log_head();
  const size_t at = log.size() + 12;
  add_event(log, 1, 0x0D, "x");
  log[at] = 0x0B;
  EXPECT_FALSE(replay(log).has_value());
}

TEST(EventLog, is_compared_with_the_quote_s_registers) {
  TestPlatform made(Kind::kTdx4);
  const std::vector<uint8_t> log = short_log();
  const auto judge = [&](const Rules& rules, const Collateral& collateral) {
    Verdict verdict;
    Checks checks(verdict);
    appraise(made.quote(), rules, collateral, testing::kNow, checks);
    const Check* failure = verdict.first_failure();
    return failure == nullptr ? std::string() : std::string(failure->code);
  };
  Collateral with_log = made.collateral();
  ASSERT_TRUE(with_log.add("ccel", log).has_value());
  EXPECT_EQ(judge(made.rules(), with_log), "intel.event_log");
  Rules strict = made.rules();
  strict.event_log_required = true;
  EXPECT_EQ(judge(strict, made.collateral()), "intel.event_log");
  const auto replayed = replay(log);
  for (size_t i = 0; i < 4; ++i) made.set(328 + 48 * i, replayed->rtmr[i]);
  EXPECT_EQ(judge(strict, with_log), "");
}

// What of a real log is bound to the registers: each digest, and data whose digest is their hash.
TEST(EventLog, of_a_real_guest_gives_its_registers_and_no_changed_event_does) {
  if (testing::vectors_folder().empty()) GTEST_SKIP() << "../shared/data/attestation is missing";
  std::vector<uint8_t> log = testing::vector_file("tdx/ccel-log.dat");
  const std::vector<uint8_t> bytes = testing::vector_file("tdx/v4-ccel-quote.dat");
  const auto quote = read_quote(bytes);
  ASSERT_TRUE(quote.has_value());
  const auto good = replay(log);
  ASSERT_TRUE(good.has_value()) << good.error().text;
  EXPECT_EQ(good->rtmr, quote->guest.rtmr);
  EXPECT_EQ(good->events, 43u);
  EXPECT_EQ(quote->guest.rtmr[3], Sha384Digest{});
  log.resize(18101);  // the rest of the buffer is 0xFF
  EXPECT_TRUE(replay(log).has_value());
  size_t at = 65;  // behind the first event
  while (at < log.size()) {
    const auto kind = load<uint32_t>(Bytes(log).subspan(at + 4));
    const auto size = load<uint32_t>(Bytes(log).subspan(at + 62));
    const bool hashed = kind == 4 || kind == 0x80000001 || kind == 0x80000006 ||
                        kind == 0x80000007 || kind == 0x800000E0;
    const size_t end = at + 66 + size;
    for (size_t i = at; i < end; i += i < at + 66 ? 1 : 97) {
      if (i >= at + 4 && i < at + 8) continue;  // a kind is measured by none
      if (i >= at + 66 && !hashed) break;       // nor are the data of these
      log[i] ^= 1;
      const auto bent = replay(log);
      EXPECT_FALSE(bent.has_value() && bent->rtmr == quote->guest.rtmr) << i;
      log[i] ^= 1;
    }
    at = end;
  }
  EXPECT_EQ(at, log.size());
}

}  // namespace
}  // namespace casemate::verify::intel
