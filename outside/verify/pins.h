// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pins: what a policy holds fast, what it leaves open, and a policy made from what was seen.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    pinned_policy() is trust on first use: it is worth what the first look was worth.
//   Fails    cannot.

#include <string>
#include <vector>

#include "outside/verdict/verdict.h"
#include "outside/verify/policy.h"

namespace casemate::verify {

// "insecure_NAME: what it means", one for each thing that `policy` lets through or leaves open.
std::vector<std::string> weaknesses_of(const Policy& policy);

// Every link of the evidence holds, so what it says is what the server is; at most the policy said
// no to that. Otherwise what the verdict shows is anybody's claim.
bool holds(const Verdict& verdict);

// A policy that accepts exactly what `verdict` saw. It weakens nothing: a development root is
// allowed only where the policy of the verdict allowed it. Requires: holds(verdict).
Policy pinned_policy(const Verdict& verdict);

}  // namespace casemate::verify
