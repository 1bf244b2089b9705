// SPDX-License-Identifier: Apache-2.0
#pragma once
// Line: who stands behind whom in a list of tokens.
//
//   gateway, leader A, worker A1, worker A2, leader B, ...        (wire/evidence has the order)
//
// A leader's token says how many enclaves it calls and has a measurement over who they are, in the
// order of its streams. Their tokens follow, so a worker that was left out, put in, swapped with
// another or moved is found.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the tokens must be signed by one monitor: who they are of is not looked at here.
//   Fails    kInvalid with the leader, and what its list should be.

#include <span>
#include <vector>

#include "base/result.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {

// For each token the index of who calls it: a leader's is 0, the gateway's own place. The gateway's
// list is not held against its token, since evidence has the tokens of the models asked for alone.
Result<std::vector<size_t>> callers_of(std::span<const EnclaveToken> tokens);

}  // namespace casemate::verify
