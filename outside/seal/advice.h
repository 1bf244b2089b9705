// SPDX-License-Identifier: Apache-2.0
#pragma once
// Advice: what is wrong with a policy for a sealed model, and what it lets through.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the owner's own policy.
//   Fails    check_policy() with kInvalid for a policy under which no key would ever go out.

#include <string>
#include <vector>

#include "outside/verify/policy.h"

namespace casemate::seal {

// `file` is where the policy stands, for the refusal.
Status check_policy(const verify::Policy& policy, const std::string& model,
                    const std::string& file);

// One line for each thing that it leaves to whoever runs the machine. What the key store pins by
// itself, and the gateway, to which no key goes, are left out.
std::vector<std::string> warnings_of(const verify::Policy& policy, const std::string& model);

}  // namespace casemate::seal
