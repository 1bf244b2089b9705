// SPDX-License-Identifier: Apache-2.0
// The TPM root's quotes, made by a software TPM, before the verifier: as they are, and changed.
#include <fstream>

#include "base/format.h"
#include "tests/tpm/quotes.h"

namespace casemate::tests {
namespace {

using verify::code::kTpmEvents;
using verify::code::kTpmForm;
using verify::code::kTpmHead;
using verify::code::kTpmKey;
using verify::code::kTpmKnown;
using verify::code::kTpmPcr;
using verify::code::kTpmPcrs;
using verify::code::kTpmSignature;

class TpmQuotes : public testing::Test {
 protected:
  void SetUp() override {
    auto made = SoftwareTpm::make();
    if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
    ASSERT_TRUE(made) << made.error().text;
    tpm_.emplace(std::move(*made));
    const auto quote = quote_of(*tpm_);
    ASSERT_TRUE(quote) << quote.error().text;
    quote_ = *quote;
    rules_ = rules_for(quote_);
  }
  void write(const std::string& name, Bytes content) const {
    std::ofstream(tpm_->folder() + "/" + name, std::ios::binary) << text_of(content);
  }
  void expect_refused(Bytes quote, std::string_view code) const {
    const Judged judged = judge(quote, rules_);
    EXPECT_EQ(judged.first_failure(), code);
  }

  std::optional<SoftwareTpm> tpm_;
  std::vector<uint8_t> quote_;
  verify::TpmRules rules_;
};

TEST_F(TpmQuotes, say_what_the_monitor_asked_and_what_was_booted) {
  const Judged judged = judge(quote_, rules_);
  EXPECT_TRUE(judged.passed()) << line_of(judged.verdict);
  EXPECT_EQ(judged.platform.root, "tpm");
  EXPECT_EQ(judged.platform.report_data, report_data());
  EXPECT_EQ(judged.platform.digest, platform_digest());
  EXPECT_FALSE(judged.platform.debug);
  EXPECT_NEAR(static_cast<double>(*judged.platform.issued_unix),
              static_cast<double>(system_clock().unix_seconds()), 3600);
  ASSERT_EQ(judged.platform.measurements.size(), 16u);
  EXPECT_EQ(judged.platform.measurements[0].name, "key");
  EXPECT_EQ(judged.platform.measurements[1].name, "pcr0");
  EXPECT_EQ(judged.platform.measurements.back().name, "pcr23");
}

TEST_F(TpmQuotes, tell_of_debug_enclaves) {
  const auto quote = quote_of(*tpm_, "", true);
  ASSERT_TRUE(quote) << quote.error().text;
  const Judged judged = judge(*quote, rules_);
  EXPECT_TRUE(judged.passed()) << line_of(judged.verdict);
  EXPECT_TRUE(judged.platform.debug);
}

TEST_F(TpmQuotes, are_what_other_tools_take_for_quotes) {
  const auto read = verify::read_tpm_quote(quote_);
  ASSERT_TRUE(read);
  write("attest", read->attest_bytes);
  write("signature", read->signature);
  write("key", TpmWriter().sized(read->key_bytes).view());
  const auto nonce = to_hex(read->attest.extra_data);
  const auto converted = tpm_->tool({"tpm2_print", "-t", "TPM2B_PUBLIC", "-f", "pem", "key"}, true);
  ASSERT_TRUE(converted) << converted.error().text;
  write("key.pem", bytes_of(std::string_view(*converted)));
  const auto good = tpm_->tool({"tpm2_checkquote", "-u", "key.pem", "-m", "attest", "-s",
                                "signature", "-g", "sha256", "-q", nonce},
                               true);
  EXPECT_TRUE(good) << good.error().text;
  const auto other = tpm_->tool({"tpm2_checkquote", "-u", "key.pem", "-m", "attest", "-s",
                                 "signature", "-g", "sha256", "-q", "00" + nonce.substr(2)},
                                true);
  EXPECT_FALSE(other);
}

TEST_F(TpmQuotes, are_refused_with_any_byte_changed) {
  for (size_t i = 0; i < quote_.size(); ++i) {
    for (const int bit : {0x01, 0x80}) {
      auto changed = quote_;
      changed[i] = static_cast<uint8_t>(changed[i] ^ bit);
      EXPECT_FALSE(judge(changed, rules_).passed()) << "byte " << i;
    }
  }
}

TEST_F(TpmQuotes, are_refused_when_cut_or_followed_by_something) {
  for (size_t size = 0; size < quote_.size(); ++size)
    EXPECT_EQ(judge(Bytes(quote_).first(size), rules_).first_failure(), kTpmForm.code) << size;
  auto longer = quote_;
  longer.push_back(0);
  expect_refused(longer, kTpmForm);
  const auto read = verify::read_tpm_quote(quote_);
  for (const auto part : {TpmQuoteHead::kAttest, TpmQuoteHead::kSignature, TpmQuoteHead::kKey}) {
    const Bytes bytes = part == TpmQuoteHead::kAttest      ? read->attest_bytes
                        : part == TpmQuoteHead::kSignature ? read->signature
                                                           : read->key_bytes;
    const auto followed = TpmWriter().bytes(bytes).u8(0).take();
    expect_refused(with_part(quote_, part, followed),
                   part == TpmQuoteHead::kSignature ? kTpmSignature : kTpmForm);
  }
}

TEST_F(TpmQuotes, are_refused_for_report_data_that_were_not_asked_for) {
  auto changed = quote_;
  changed[offsetof(TpmQuoteHead, report_data)] ^= 1;
  expect_refused(changed, kTpmHead);
  changed = quote_;
  changed[offsetof(TpmQuoteHead, issued_unix)] ^= 1;
  expect_refused(changed, kTpmHead);
}

TEST_F(TpmQuotes, are_refused_for_a_signature_or_a_key_of_others) {
  auto other = SoftwareTpm::make();
  ASSERT_TRUE(other) << other.error().text;
  const auto theirs = quote_of(*other);
  ASSERT_TRUE(theirs) << theirs.error().text;
  expect_refused(*theirs, kTpmKnown);
  EXPECT_TRUE(judge(*theirs, rules_for(*theirs)).passed());
  const auto read = verify::read_tpm_quote(*theirs);
  expect_refused(with_part(quote_, TpmQuoteHead::kSignature, read->signature), kTpmSignature);
  expect_refused(with_part(quote_, TpmQuoteHead::kKey, read->key_bytes), kTpmKey);
  expect_refused(with_part(quote_, TpmQuoteHead::kAttest, read->attest_bytes), kTpmKey);
}

TEST_F(TpmQuotes, are_refused_for_what_is_signed_and_is_no_quote) {
  // Four bytes of magic, two of type.
  for (const size_t at : {0u, 3u, 4u, 5u}) {
    auto changed = quote_;
    changed[sizeof(TpmQuoteHead) + at] ^= 1;
    expect_refused(changed, kTpmForm);
  }
}

TEST_F(TpmQuotes, are_refused_for_values_that_the_pcrs_do_not_hold) {
  const auto read = verify::read_tpm_quote(quote_);
  std::vector<uint8_t> values(read->pcr_values.begin(), read->pcr_values.end());
  values[0] ^= 1;
  expect_refused(with_part(quote_, TpmQuoteHead::kPcrs, values), kTpmPcrs);
  values[0] ^= 1;
  std::swap_ranges(values.begin(), values.begin() + 32, values.end() - 32);
  expect_refused(with_part(quote_, TpmQuoteHead::kPcrs, values), kTpmPcrs);
  values.resize(values.size() - 32);
  expect_refused(with_part(quote_, TpmQuoteHead::kPcrs, values), kTpmPcrs);
}

TEST_F(TpmQuotes, are_refused_for_events_that_were_not_measured) {
  const auto read = verify::read_tpm_quote(quote_);
  const Bytes events = read->events;
  constexpr size_t kPlatform = 4 + 2 + 48;
  auto changed = std::vector<uint8_t>(events.begin(), events.end());
  changed[10] ^= 1;
  expect_refused(with_part(quote_, TpmQuoteHead::kEvents, changed), kTpmEvents);
  const auto reordered =
      TpmWriter().bytes(events.subspan(kPlatform)).bytes(events.first(kPlatform)).take();
  expect_refused(with_part(quote_, TpmQuoteHead::kEvents, reordered), kTpmEvents);
  for (const Bytes left : {events.first(kPlatform), events.subspan(kPlatform), Bytes()})
    expect_refused(with_part(quote_, TpmQuoteHead::kEvents, left), kTpmEvents);
  const auto doubled = TpmWriter().bytes(events).bytes(events).take();
  expect_refused(with_part(quote_, TpmQuoteHead::kEvents, doubled), kTpmEvents);
}

TEST_F(TpmQuotes, are_refused_where_the_machine_has_booted_something_else) {
  const auto read = verify::read_tpm_quote(quote_);
  rules_.pcrs[4] = {*pcr_value(*read, 4)};
  EXPECT_TRUE(judge(quote_, rules_).passed());
  const std::string extended = "4:sha256=" + std::string(64, '5');
  const auto done = tpm_->tool({"tpm2_pcrextend", extended});
  ASSERT_TRUE(done) << done.error().text;
  const auto later = quote_of(*tpm_);
  ASSERT_TRUE(later) << later.error().text;
  const Judged judged = judge(*later, rules_);
  EXPECT_EQ(judged.first_failure(), kTpmPcr.code);
  EXPECT_EQ(judged.verdict.first_failure()->subject, "PCR 4");
  EXPECT_EQ(judged.platform.digest, platform_digest()) << "the monitor is the same";
  rules_.pcrs = {{10, {}}};
  expect_refused(*later, kTpmPcr);  // not quoted, so not proved
}

TEST_F(TpmQuotes, hold_the_monitor_s_events_whoever_else_extends_their_pcr) {
  auto root = attest::open_tpm_root({.device = tpm_->socket()}, platform_digest());
  ASSERT_TRUE(root) << root.error().text;
  root->reset();
  const auto done = tpm_->tool({"tpm2_pcrextend", "23:sha256=" + std::string(64, '7')});
  ASSERT_TRUE(done) << done.error().text;
  const auto quote = quote_of(*tpm_);
  ASSERT_TRUE(quote) << quote.error().text;
  EXPECT_TRUE(judge(*quote, rules_).passed());
}

TEST_F(TpmQuotes, are_signed_with_the_same_key_after_a_restart_of_the_machine) {
  auto root = attest::open_tpm_root({.device = tpm_->socket()}, platform_digest());
  ASSERT_TRUE(root) << root.error().text;
  const auto powers = allow::assume_all_powers();
  ASSERT_TRUE((*root)->quote(powers.vouch, report_data()));
  const auto restarted = tpm_->restart();
  ASSERT_TRUE(restarted) << restarted.error().text;
  const auto quote = (*root)->quote(powers.vouch, report_data());
  ASSERT_TRUE(quote) << quote.error().text;
  EXPECT_TRUE(judge(*quote, rules_).passed());
}

TEST(TpmBanks, say_what_to_do_where_there_is_none_of_sha_256) {
  const auto tpm = SoftwareTpm::make(false, "sha384");
  if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
  ASSERT_TRUE(tpm) << tpm.error().text;
  const auto quote = quote_of(*tpm);
  ASSERT_FALSE(quote);
  EXPECT_EQ(quote.error().code, Code::kDenied);
  EXPECT_NE(quote.error().text.find("tpm2_pcrallocate"), std::string::npos) << quote.error().text;
}

TEST(TpmPasswords, of_the_endorsement_hierarchy_are_named_in_the_refusal) {
  const auto tpm = SoftwareTpm::make();
  if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
  ASSERT_TRUE(tpm) << tpm.error().text;
  const auto done = tpm->tool({"tpm2_changeauth", "-c", "e", "secret"});
  ASSERT_TRUE(done) << done.error().text;
  const auto quote = quote_of(*tpm);
  ASSERT_FALSE(quote);
  EXPECT_NE(quote.error().text.find("tpm2_changeauth -c e"), std::string::npos)
      << quote.error().text;
}

TEST(TpmLeaks, of_keys_do_not_fill_the_tpm) {
  const auto tpm = SoftwareTpm::make();
  if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
  ASSERT_TRUE(tpm) << tpm.error().text;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(quote_of(*tpm));  // it has room for three
}

}  // namespace
}  // namespace casemate::tests
