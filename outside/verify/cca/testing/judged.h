// SPDX-License-Identifier: Apache-2.0
#pragma once
// Judged: a verdict on a token beside what the token says, for tests.
//
//   Owns     values.
//   Threads  a value type.
//   Trust    test code: no shipped program may link this folder.
//   Fails    cannot.

#include "outside/verify/cca/testing/realm.h"

namespace casemate::verify::cca::testing {

struct Judged {
  Verdict verdict;
  Platform platform;

  // The code of the first failure, and its subject; "accepted" when there is none.
  [[nodiscard]] std::string outcome() const {
    const Check* failure = verdict.first_failure();
    if (failure == nullptr) return "accepted";
    if (failure->expected.empty() || failure->actual.empty() || failure->remedy.empty())
      return "a failure that says nothing: " + std::string(failure->code);
    return std::string(failure->code) + (failure->subject.empty() ? "" : " " + failure->subject);
  }
};

inline Judged judge(Bytes token, const Rules& rules, const Collateral& collateral) {
  Judged judged;
  Checks checks(judged.verdict);
  judged.platform = appraise(token, rules, collateral, 1'772'323'200, checks);
  return judged;
}

}  // namespace casemate::verify::cca::testing
