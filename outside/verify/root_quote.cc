// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/root_quote.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/cca/cca.h"
#include "outside/verify/codes.h"
#include "outside/verify/hardware_quote.h"
#include "outside/verify/intel/intel.h"
#include "outside/verify/quote.h"
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

// Who makes reports, and for which root.
struct Provider {
  std::string_view name;
  RootKind root;
  bool auxiliary;  // a table of certificates comes along
};
constexpr std::array<Provider, 4> kProviders = {{{"sev_guest", RootKind::kTsm, true},
                                                 {"tdx_guest", RootKind::kTsm, false},
                                                 {"arm_cca_guest", RootKind::kTsm, false},
                                                 {"dcap", RootKind::kGramine, false}}};

// Quotes of enclaves and of guests have one reader, and each provider makes but one kind.
bool other_kind(const HardwareBlobs& blobs) {
  if (blobs.provider != "dcap" && blobs.provider != "tdx_guest") return false;
  const auto quote = intel::read_quote(blobs.report);
  return quote && quote->td != (blobs.provider == "tdx_guest");  // its reader says what is broken
}

// What the head says is signed by nobody: it has to be what the report is, and there is nothing
// beside the report that nobody reads.
Finding right_head(const HardwareBlobs& blobs) {
  const auto provider = std::ranges::find(kProviders, blobs.provider, &Provider::name);
  if (provider == kProviders.end() || provider->root != blobs.root) {
    return {
        .expected =
            "a provider whose reports this build reads: sev_guest, tdx_guest or "
            "arm_cca_guest of root tsm, dcap of root gramine",
        .actual = formatted("{} of root {}", printable(blobs.provider, 32), name_of(blobs.root))};
  }
  if ((!provider->auxiliary && !blobs.auxiliary.empty()) || !blobs.manifest.empty()) {
    return {.expected = formatted("what {} makes, and no more", provider->name),
            .actual = formatted("{} bytes of certificates and {} of a manifest beside the report",
                                blobs.auxiliary.size(), blobs.manifest.size())};
  }
  return {.good = !other_kind(blobs),
          .expected = formatted("a report of {}", provider->name),
          .actual = formatted("a quote of {}",
                              blobs.provider == "dcap" ? "a TDX guest" : "an SGX enclave")};
}

}  // namespace

bool of_hardware(Bytes quote) {
  return looks_like_tpm_quote(quote) || (hardware_quote(quote) && !software_quote(quote));
}

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
    return right_head(blobs);
  });
  return appraise_blobs(blobs, policy, now_unix, checks);
}

}  // namespace casemate::verify
