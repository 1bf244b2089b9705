// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/quote.h"

#include "base/format.h"
#include "outside/verify/hardware_quote.h"

namespace casemate::verify {
namespace {

Status check_software_form(const SoftwareQuote& report) {
  TRY(check_form(report));
  if ((report.flags & ~SoftwareQuote::kDebug) != 0) {
    return Error{Code::kInvalid, formatted("the quote has unknown flags {:#x}", report.flags)};
  }
  return {};
}

}  // namespace

bool software_quote(Bytes bytes) {
  return hardware_quote(bytes) && bytes.size() >= sizeof(HardwareQuote) &&
         load<HardwareQuote>(bytes).root == static_cast<uint32_t>(RootKind::kSoftware);
}

Result<Quote> read_quote(Bytes bytes) {
  if (!software_quote(bytes)) {
    return Error{Code::kUnsupported,
                 "the quote is in a format that this build does not read (it reads: software)"};
  }
  const HardwareBlobs blobs = TRY(read_hardware_quote(bytes));
  if (blobs.provider != kSoftwareProvider || !blobs.manifest.empty()) {
    return Error{Code::kInvalid, formatted("the quote of the software root should be of {} and "
                                           "have no manifest",
                                           kSoftwareProvider)};
  }
  if (blobs.report.size() != sizeof(SoftwareQuote)) {
    return Error{Code::kInvalid, formatted("the quote's report has {} bytes instead of {}",
                                           blobs.report.size(), sizeof(SoftwareQuote))};
  }
  const Quote quote{load<SoftwareQuote>(blobs.report), blobs.auxiliary};
  TRY(check_software_form(quote.report));
  return quote;
}

Status check_quote_signature(const SoftwareQuote& report, Bytes attestation_key) {
  return verify_signature(attestation_key, report.signed_bytes(), report.signature);
}

}  // namespace casemate::verify
