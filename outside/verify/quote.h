// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quote: what a root of trust says about the machine, brought from the root's own format into one
// form. This build reads the software root's; others come as further readers behind read_quote().
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    read_quote() checks the form alone; the content is the root's word only after
//            check_quote_signature().
//   Fails    kInvalid for a broken quote, kUnsupported for a format that this build does not read.

#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"

namespace casemate::verify {

struct Quote {
  std::string_view root;          // "software"
  bool development = false;       // such a root proves nothing against whoever runs the machine
  std::vector<uint8_t> root_key;  // SPKI DER
  Sha384Digest root_key_hash{};   // SHA-384 of root_key
  ByteArray<64> report_data{};
  Sha384Digest platform{};  // what was booted
  uint32_t security_version = 0;
  bool debug = false;
  int64_t issued_unix = 0;
};

Result<Quote> read_quote(Bytes bytes);

// Succeeds when the quote is signed by the root key that it names. Requires: read_quote(bytes) did.
Status check_quote_signature(Bytes bytes);

}  // namespace casemate::verify
