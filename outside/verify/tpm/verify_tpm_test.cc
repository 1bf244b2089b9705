// SPDX-License-Identifier: Apache-2.0
// What no honest TPM would sign, signed: the verifier before a TPM that says what a test wants.
// Quotes of a real (software) TPM are in tests/tpm.
#include "outside/verify/tpm/verify_tpm.h"

#include <gtest/gtest.h>

#include "outside/verify/event_log/testing/log_writer.h"
#include "outside/verify/tpm/quote.h"
#include "outside/verify/tpm/testing/tpm_signer.h"

namespace casemate::verify {
namespace {

using testing::TpmKeyKind;
using testing::TpmSigner;

Verdict judge(const TpmSigner& signer, const Collateral& collateral = {}, TpmRules rules = {}) {
  Verdict verdict;
  Checks checks(verdict);
  rules.keys.push_back(sha384(signer.key));
  verify_tpm(signer.quote(), collateral, rules, signer.issued_unix, checks);
  return verdict;
}

std::string_view first_failure(const Verdict& verdict) {
  const Check* check = verdict.first_failure();
  return check == nullptr ? "" : check->code;
}

void expect_refused(const TpmSigner& signer, std::string_view code, std::string_view words = "") {
  const Verdict verdict = judge(signer);
  EXPECT_EQ(first_failure(verdict), code);
  const Check* check = verdict.first_failure();
  ASSERT_NE(check, nullptr);
  EXPECT_NE(check->actual.find(words), std::string::npos) << check->actual;
}

// Changed by `change`, and then made and signed as by an honest TPM.
template <class Change>
TpmSigner honest(Change change) {
  TpmSigner signer;
  change(signer);
  signer.make();
  signer.sign();
  return signer;
}

class TpmKeys : public ::testing::TestWithParam<TpmKeyKind> {};

TEST_P(TpmKeys, of_every_kind_sign_quotes_that_pass) {
  // Often enough that some number begins with a zero byte, which is left out.
  TpmSigner signer(GetParam());
  for (int i = 0; i < (GetParam() == TpmKeyKind::kRsa ? 4 : 600); ++i) {
    signer.sign();
    EXPECT_EQ(first_failure(judge(signer)), "");
  }
  signer.signature.back() ^= 1;
  expect_refused(signer, code::kTpmSignature);
}

TEST_P(TpmKeys, of_every_kind_are_refused_with_any_byte_of_what_they_signed_changed) {
  TpmSigner signer(GetParam());
  for (size_t i = 0; i < signer.attest.size(); ++i) {
    signer.attest[i] ^= 0x40;
    EXPECT_NE(first_failure(judge(signer)), "") << i;
    signer.attest[i] ^= 0x40;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TpmKeys,
                         ::testing::Values(TpmKeyKind::kP256, TpmKeyKind::kP384, TpmKeyKind::kRsa));

TEST(SignedByATpm, and_no_quote_is_refused) {
  expect_refused(honest([](auto& s) { s.magic = 0xFF544348; }), code::kTpmForm, "no TPM has made");
  for (const uint16_t type : std::initializer_list<uint16_t>{0x8014, 0x8017, 0x8019, 0x801A})
    expect_refused(honest([&](auto& s) { s.type = type; }), code::kTpmForm, "no quote of PCRs");
  expect_refused(honest([](auto& s) { s.clock_safe = 2; }), code::kTpmForm, "clock");
}

TEST(SignedByATpm, and_of_pcrs_that_say_nothing_of_the_monitor_is_refused) {
  // An absent bank: the selection comes back empty.
  expect_refused(honest([](auto& s) { s.pcrs = 0; }), code::kTpmPcrs, "PCR 23");
  expect_refused(honest([](auto& s) { s.pcrs = 0x7BFF; }), code::kTpmPcrs, "PCR 23");
  expect_refused(honest([](auto& s) { s.bank = tpm::kSha384; }), code::kTpmPcrs, "bank 0x000c");
  expect_refused(honest([](auto& s) { s.banks = 2; }), code::kTpmForm, "2 banks");
  expect_refused(honest([](auto& s) { s.banks = 0; }), code::kTpmForm, "0 banks");
}

TEST(SignedByATpm, and_of_fewer_pcrs_is_taken_where_the_rules_ask_for_no_more) {
  const TpmSigner signer = honest([](auto& s) { s.pcrs = 1u << 23 | 1u << 7; });
  EXPECT_EQ(first_failure(judge(signer)), "");
  Sha256Digest value;
  value.fill(0x0F);
  EXPECT_EQ(first_failure(judge(signer, {}, {.pcrs = {{7, {value}}}})), "");
  EXPECT_EQ(first_failure(judge(signer, {}, {.pcrs = {{8, {value}}}})), code::kTpmPcr.code);
}

TEST(SignedByATpm, with_a_key_that_signs_anything_or_may_be_copied_is_refused) {
  for (const uint32_t bit : {tpm::kFixedTpm, tpm::kFixedParent, tpm::kSensitiveDataOrigin,
                             tpm::kRestricted, tpm::kSign, tpm::kDecrypt}) {
    expect_refused(honest([&](auto& s) { s.attributes ^= bit; }), code::kTpmKey, "attributes");
  }
}

TEST(SignedByATpm, with_a_key_that_says_something_else_of_itself_is_refused) {
  TpmSigner signer;
  TpmSigner changed = signer;
  changed.key[7] ^= 0x40;  // userWithAuth, which the quote's signer is named with
  EXPECT_EQ(first_failure(judge(changed)), code::kTpmKey.code);
}

TEST(SignedByATpm, with_flags_that_nobody_knows_is_refused) {
  EXPECT_EQ(first_failure(judge(honest([](auto& s) { s.flags = 1; }))), "");
  expect_refused(honest([](auto& s) { s.flags = 2; }), code::kTpmEvents, "unknown flags");
}

TEST(KeysOfTpms, of_unknown_form_are_refused_with_the_field) {
  const TpmSigner signer;
  const auto refuse = [&](size_t at, uint8_t value, std::string_view words) {
    auto key = signer.key;
    key[at] = value;
    const auto read = read_tpm_key(key);
    ASSERT_FALSE(read) << words;
    EXPECT_NE(read.error().text.find(words), std::string::npos) << read.error().text;
  };
  refuse(1, 0x08, "type");
  refuse(3, 0x04, "hash");
  refuse(11, 0x06, "");  // a symmetric key in a signing key: fields no longer fit
  refuse(13, 0x1A, "scheme");
  refuse(17, 0x05, "curve");
  refuse(19, 0x20, "derivation");
  refuse(21, 31, "");
  refuse(30, static_cast<uint8_t>(signer.key[30] ^ 1), "curve");  // a point beside it
  auto key = signer.key;
  for (size_t size = 0; size < key.size(); ++size)
    EXPECT_FALSE(read_tpm_key(Bytes(key).first(size))) << size;
  key.push_back(0);
  EXPECT_FALSE(read_tpm_key(key));
}

TEST(FirmwareLogs, that_replay_to_the_quoted_pcrs_pass_and_others_do_not) {
  testing::LogWriter log;
  log.event(4, 13, "boot loader").event(4, 13, "kernel").event(11, 13, "extended later, too");
  const auto replayed = [](std::initializer_list<std::string_view> contents) {
    Sha256Digest value{};
    for (const auto content : contents)
      value = sha256(TpmWriter().bytes(value).bytes(sha256(bytes_of(content))).view());
    return value;
  };
  TpmSigner signer;
  const auto hold = [&](const Sha256Digest& value) {
    // PCR 4 is the fifth of those quoted; the TPM signs what it holds.
    const auto before = sha256(signer.pcr_values);
    std::ranges::copy(value, signer.pcr_values.begin() + 4 * 32);
    const auto after = sha256(signer.pcr_values);
    const auto at = std::ranges::search(signer.attest, before);
    ASSERT_FALSE(at.empty());
    std::ranges::copy(after, at.begin());
    signer.sign();
  };
  Collateral collateral;
  ASSERT_TRUE(collateral.add("log", log.log()));
  ASSERT_EQ(collateral.others().size(), 1u);
  hold(replayed({"boot loader", "kernel"}));
  EXPECT_EQ(first_failure(judge(signer, collateral)), "");
  for (const auto& other : {replayed({"boot loader"}), replayed({"kernel", "boot loader"}),
                            replayed({"boot loader", "other kernel"}), Sha256Digest{}}) {
    hold(other);
    const Verdict verdict = judge(signer, collateral);
    EXPECT_EQ(first_failure(verdict), code::kTpmLog.code);
    EXPECT_EQ(verdict.first_failure()->subject, "log");
  }
  EXPECT_EQ(first_failure(judge(signer)), "") << "without a log nothing is said of it";
}

}  // namespace
}  // namespace casemate::verify
