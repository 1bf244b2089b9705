// SPDX-License-Identifier: Apache-2.0
#pragma once
// What tests of TPM quotes share: a root at a software TPM, verdicts on its quotes, changes to
// them.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "outside/verify/tpm/quote.h"
#include "outside/verify/tpm/verify_tpm.h"
#include "tests/tpm/software_tpm.h"
#include "trusted/attest/tpm_root.h"

namespace casemate::tests {

inline ByteArray<64> report_data() {
  ByteArray<64> data{};
  for (size_t i = 0; i < 32; ++i) data[i] = static_cast<uint8_t>(i + 1);
  return data;
}

inline Sha384Digest platform_digest() {
  Sha384Digest digest;
  digest.fill(0xA7);
  return digest;
}

// One quote of a root that is opened and closed for it, so that others can talk to the TPM.
inline Result<std::vector<uint8_t>> quote_of(const SoftwareTpm& tpm,
                                             const std::string& certificate_path = "",
                                             bool debug = false) {
  const auto root = TRY(attest::open_tpm_root(
      {.device = tpm.socket(), .certificate_path = certificate_path, .debug = debug},
      platform_digest()));
  return root->quote(allow::assume_all_powers().vouch, report_data());
}

struct Judged {
  verify::Platform platform;
  verify::Verdict verdict;

  [[nodiscard]] bool passed() const { return first_failure().empty(); }
  [[nodiscard]] std::string_view first_failure() const {
    const verify::Check* check = verdict.first_failure();
    return check == nullptr ? std::string_view() : check->code;
  }
};

inline Judged judge(Bytes quote, const verify::TpmRules& rules,
                    const verify::Collateral& collateral = {},
                    int64_t now = system_clock().unix_seconds()) {
  Judged judged;
  verify::Checks checks(judged.verdict);
  judged.platform = verify::verify_tpm(quote, collateral, rules, now, checks);
  return judged;
}

// Rules that accept the key of this quote, as after a first look.
inline verify::TpmRules rules_for(Bytes quote) {
  const auto read = verify::read_tpm_quote(quote);
  EXPECT_TRUE(read) << read.error().text;
  return {.keys = {sha384(read->key_bytes)}};
}

// The quote with some of its parts replaced, and sizes that fit.
inline std::vector<uint8_t> with_part(Bytes quote, TpmQuoteHead::Part part, Bytes replacement) {
  const auto read = verify::read_tpm_quote(quote);
  EXPECT_TRUE(read) << read.error().text;
  std::array<Bytes, TpmQuoteHead::kParts> parts = {read->attest_bytes, read->signature,
                                                   read->key_bytes,    read->certificate,
                                                   read->pcr_values,   read->events};
  parts[part] = replacement;
  return encode_tpm_quote(read->head, parts);
}

}  // namespace casemate::tests
