// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/root_quote.h"

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/cca/cca.h"
#include "outside/verify/codes.h"
#include "outside/verify/hardware_quote.h"
#include "outside/verify/intel/intel.h"
#include "outside/verify/snp/snp.h"

namespace casemate::verify {
namespace {

const Collateral& collateral_of(const Policy& policy) {
  static const Collateral kNone;
  return policy.collateral ? *policy.collateral : kNone;
}

Platform appraise_blobs(const HardwareBlobs& blobs, const Policy& policy, int64_t now,
                        Checks& checks) {
  const Collateral& collateral = collateral_of(policy);
  if (blobs.provider == "sev_guest") {
    // The host's table of certificates follows the report, as in a file.
    std::vector<uint8_t> both(blobs.report.begin(), blobs.report.end());
    both.insert(both.end(), blobs.auxiliary.begin(), blobs.auxiliary.end());
    return snp::appraise(both, policy.snp, collateral, now, checks);
  }
  if (blobs.provider == "arm_cca_guest")
    return cca::appraise(blobs.report, policy.cca, collateral, now, checks);
  return intel::appraise(blobs.report, policy.intel, collateral, now, checks);
}

bool known(std::string_view provider) {
  return provider == "sev_guest" || provider == "tdx_guest" || provider == "arm_cca_guest" ||
         provider == "dcap";
}

}  // namespace

bool of_hardware(Bytes quote) { return looks_like_tpm_quote(quote) || hardware_quote(quote); }

Platform appraise_root(Bytes quote, const Policy& policy, int64_t now_unix, Checks& checks) {
  if (looks_like_tpm_quote(quote))
    return verify_tpm(quote, collateral_of(policy), policy.tpm, now_unix, checks);
  HardwareBlobs blobs;
  checks.require(code::kQuoteForm, "", [&] {
    auto read = read_hardware_quote(quote);
    if (!read) {
      return Finding{.expected = "the head of a hardware root's quote",
                     .actual = read.error().text};
    }
    blobs = *std::move(read);
    return Finding{known(blobs.provider),
                   "a provider whose reports this build reads: sev_guest, tdx_guest, "
                   "arm_cca_guest, dcap",
                   printable(blobs.provider, 32)};
  });
  return appraise_blobs(blobs, policy, now_unix, checks);
}

}  // namespace casemate::verify
