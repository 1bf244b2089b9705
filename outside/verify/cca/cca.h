// SPDX-License-Identifier: Apache-2.0
#pragma once
// Appraisal of Arm CCA tokens: form, the platform's key and signature, the realm's key and
// signature, the hash that binds both, and then the policy's rules.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    evidence and collateral are hostile; the keys that count are the rules'.
//   Fails    never: what is wrong is a failed check.

#include "outside/verdict/checks.h"
#include "outside/verdict/platform.h"
#include "outside/verify/cca/rules.h"
#include "outside/verify/collateral/collateral.h"

namespace casemate::verify::cca {

// Whether these bytes begin like a token.
bool looks_like(Bytes evidence);

// What the token proves. Keys are found in the rules and among `collateral`; the format carries no
// time, so `now_unix` counts for nothing.
Platform appraise(Bytes evidence, const Rules& rules, const Collateral& collateral,
                  int64_t now_unix, Checks& checks);

}  // namespace casemate::verify::cca
