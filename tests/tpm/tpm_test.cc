// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "outside/verify/tpm/verify_tpm.h"
#include "tests/tpm/software_tpm.h"
#include "trusted/attest/tpm/tpm_root.h"

namespace casemate::tests {
namespace {

TEST(TpmRoot, quotes_what_it_was_asked) {
  auto tpm = SoftwareTpm::make();
  if (!tpm) GTEST_SKIP() << tpm.error().text;
  auto root = attest::open_tpm_root({.device = tpm->socket()}, {});
  ASSERT_TRUE(root) << root.error().text;
  const auto quote = (*root)->quote(allow::assume_all_powers().vouch, {});
  ASSERT_TRUE(quote) << quote.error().text;
  verify::Verdict verdict;
  verify::Checks checks(verdict);
  verify::verify_tpm(*quote, {}, {}, 0, checks);
  for (const auto& check : verdict.checks) std::cerr << check.code << int(check.outcome) << check.actual << "\n";
}

}  // namespace
}  // namespace casemate::tests
