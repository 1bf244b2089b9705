// SPDX-License-Identifier: Apache-2.0
#pragma once
// Platform evidence: quotes and reports of hardware roots as they come, without our own claims
// around them. The format is known by its content; each is one line of a table in
// platform_evidence.cc.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    evidence and collateral may be hostile in every byte; policy and time are ours.
//   Fails    cannot: what is wrong is in the verdict.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "outside/verdict/verdict.h"
#include "outside/verify/collateral/collateral.h"
#include "outside/verify/policy.h"

namespace casemate::verify {

// The evidence in a file: its bytes, or those that it spells in hexadecimal, with or without 0x in
// front and space around.
std::vector<uint8_t> evidence_in(Bytes file);

// Whether verify_platform() reads evidence that begins like this.
bool platform_evidence(Bytes evidence);

// Judges evidence as of `now_unix`. `expected_report_data` is what the caller had the root vouch
// for, at most 64 bytes, behind which zeros are expected; empty: it is compared with nothing, and
// the verdict says so.
Verdict verify_platform(Bytes evidence, Bytes expected_report_data, const Policy& policy,
                        const Collateral& collateral, int64_t now_unix);

}  // namespace casemate::verify
