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

#include "outside/verify/policy.h"
#include "outside/verdict/verdict.h"

namespace casemate::verify {

// "insecure_NAME: what it means", one for each thing that `policy` lets through or leaves open.
std::vector<std::string> weaknesses_of(const Policy& policy);

// A policy that accepts exactly what `verdict` saw, and weakens nothing but its development root.
// Requires: verdict.passed.
Policy pinned_policy(const Verdict& verdict);

}  // namespace casemate::verify
