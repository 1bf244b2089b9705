// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quote: what the software root says about the machine, taken apart into its report and the
// certificates of the key that signed it. Quotes of hardware have readers of their own
// (root_quote.h).
//
//   Owns     Quote borrows the certificates from the bytes that it was read from.
//   Threads  pure functions.
//   Trust    read_quote() checks the form alone; the content is the root's word only after
//            check_quote_signature() with a key that the certificates lead to.
//   Fails    kInvalid for a broken quote, kUnsupported for a format that this build does not read.

#include "base/bytes.h"
#include "base/result.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {

struct Quote {
  SoftwareQuote report;
  Bytes certificates;  // outside/verify/development reads them
};

// Whether the bytes are meant to be one: behind a head that names the software root.
bool software_quote(Bytes bytes);

Result<Quote> read_quote(Bytes bytes);

// Succeeds when the report is signed by `attestation_key`, SPKI DER on P-384.
Status check_quote_signature(const SoftwareQuote& report, Bytes attestation_key);

}  // namespace casemate::verify
