// SPDX-License-Identifier: Apache-2.0
#pragma once
// DevelopmentChain: the certificates of a development root, in the shape that SEV-SNP's have.
//
//   Casemate Development Root            signs itself; at most one authority below it     (ARK)
//     Casemate Development Platform CA   an authority, and none below it                  (ASK)
//       Casemate Development Attestation Key     on P-384, no authority: signs reports    (VCEK)
//
// They come leaf first, in DER, one behind the other. What is cheap is read out of them without
// libcrypto, at each look; whether it holds, and whether libcrypto reads the same, is a check that
// depends on these bytes alone and need not be done twice.
//
//   Owns     DevelopmentChain borrows from the bytes that it was read from.
//   Threads  pure functions.
//   Trust    the bytes may be hostile. The root is whoever made it: the caller's policy says which.
//   Fails    kInvalid with the certificate and what is wrong with it.

#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

// Common names, leaf first.
inline constexpr std::array<std::string_view, 3> kDevelopmentNames = {
    "Casemate Development Attestation Key", "Casemate Development Platform CA",
    "Casemate Development Root"};

struct DevelopmentCertificate {
  Bytes der;
  Bytes key;               // SPKI DER
  int64_t not_before = 0;  // Unix seconds
  int64_t not_after = 0;
};
// Leaf first, root last.
using DevelopmentChain = std::array<DevelopmentCertificate, 3>;

// Three certificates with nothing behind them.
Result<DevelopmentChain> read_development_chain(Bytes bytes);

// Each is signed by the next and the last by itself; all have the names above, and may do what
// their place asks for and no more.
Status check_development_chain(const DevelopmentChain& chain);

// Succeeds when all of them are valid at `now_unix`.
Status check_development_validity(const DevelopmentChain& chain, int64_t now_unix);

}  // namespace casemate::verify
