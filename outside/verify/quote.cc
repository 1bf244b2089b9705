// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/quote.h"

#include <algorithm>

#include "base/format.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {
namespace {

Bytes root_key_of(const SoftwareQuote& quote) {
  return Bytes(quote.root_key).first(quote.root_key_size);
}

Status check_software_form(const SoftwareQuote& quote) {
  TRY(check_form(quote));
  if ((quote.flags & ~SoftwareQuote::kDebug) != 0) {
    return Error{Code::kInvalid, formatted("the quote has unknown flags {:#x}", quote.flags)};
  }
  const Bytes behind = Bytes(quote.root_key).subspan(quote.root_key_size);
  if (!std::ranges::all_of(behind, [](uint8_t b) { return b == 0; }))
    return Error{Code::kInvalid, "the quote has bytes behind its root key"};
  return {};
}

}  // namespace

Result<Quote> read_quote(Bytes bytes) {
  if (bytes.size() < sizeof(uint64_t) || load<uint64_t>(bytes) != SoftwareQuote::kMagic) {
    return Error{Code::kUnsupported,
                 "the quote is in a format that this build does not read (it reads: software)"};
  }
  if (bytes.size() != sizeof(SoftwareQuote)) {
    return Error{Code::kInvalid, formatted("the quote has {} bytes instead of {}", bytes.size(),
                                           sizeof(SoftwareQuote))};
  }
  const auto raw = load<SoftwareQuote>(bytes);
  TRY(check_software_form(raw));
  Quote quote;
  quote.root = "software";
  quote.development = true;
  quote.root_key.assign(root_key_of(raw).begin(), root_key_of(raw).end());
  quote.root_key_hash = sha384(quote.root_key);
  quote.report_data = raw.report_data;
  quote.platform = raw.platform_measurement;
  quote.security_version = raw.security_version;
  quote.debug = (raw.flags & SoftwareQuote::kDebug) != 0;
  quote.issued_unix = raw.issued_unix;
  return quote;
}

Status check_quote_signature(Bytes bytes) {
  const auto raw = load<SoftwareQuote>(bytes);
  return verify_signature(root_key_of(raw), raw.signed_bytes(), raw.signature);
}

}  // namespace casemate::verify
