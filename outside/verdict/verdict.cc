// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/verdict.h"

#include <algorithm>

namespace casemate::verify {
const Check* Verdict::first_failure() const {
  const auto found = std::ranges::find(checks, Outcome::kFailed, &Check::outcome);
  return found == checks.end() ? nullptr : &*found;
}

std::string_view Verdict::next() const {
  if (const Check* failure = first_failure(); failure != nullptr) return failure->remedy;
  if (development_root) return "use a server with a hardware root for anything but development";
  if (!weakened.empty() && quoted && tokens.empty())
    return "pin its measurements in the policy, and compare its report data";
  if (!weakened.empty()) return "pin what is open: casemate attest URL --learn FILE";
  return "nothing";
}

std::string_view Verdict::status() const {
  if (!passed) return "refused";
  return development_root ? "verified-development" : "verified";
}

}  // namespace casemate::verify
