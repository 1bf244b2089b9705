// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a machine or guest has started. Genuine hardware is to be had by the hour, so its word means
// something only where the policy names what may have been started on it: by the names that its
// format has for that.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the policy is the user's own word; the platform was proved by its reader.
//   Fails    cannot.

#include "outside/verdict/platform.h"
#include "outside/verdict/verdict.h"
#include "outside/verify/policy.h"

namespace casemate::verify {

// Whether the policy's rules for `root` name what was started, so that a reader of such evidence
// has held it against them; what else they should name. True for roots that measure themselves.
Finding start_is_named(std::string_view root, const Policy& policy);

// Whether the policy's rules for `root` let it be debugged.
bool debug_is_allowed(std::string_view root, const Policy& policy);

// Makes the policy name what `platform` has started, as far as its root says that; of a device's
// evidence, what it says and whose word that is.
void name_start(const Platform& platform, Policy& policy);

}  // namespace casemate::verify
