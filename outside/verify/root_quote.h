// SPDX-License-Identifier: Apache-2.0
#pragma once
// The quote in our own evidence, of whichever hardware root: taken apart and given to the reader of
// its format.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the quote may be hostile; what it says of its root decides who reads it and no more.
//   Fails    cannot: what is wrong is a failed check.

#include "outside/verdict/checks.h"
#include "outside/verdict/platform.h"
#include "outside/verify/policy.h"

namespace casemate::verify {

// Whether the quote is a hardware root's: a TPM's, or one behind a head (wire/evidence) that names
// another root than the software one.
bool of_hardware(Bytes quote);

// What it says, with every check of its format. Requires: of_hardware(quote).
Platform appraise_root(Bytes quote, const Policy& policy, int64_t now_unix, Checks& checks);

}  // namespace casemate::verify
