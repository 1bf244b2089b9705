// SPDX-License-Identifier: Apache-2.0
#pragma once
// Judged: a verdict on a report beside what the report says, for tests.
//
//   Owns     values.
//   Threads  a value type.
//   Trust    test code: no shipped program may link this folder.
//   Fails    cannot.

#include <string>

#include "outside/verify/snp/testing/reporter.h"

namespace casemate::verify::snp::testing {

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

inline Judged judge(Bytes evidence, const Collateral& collateral, const Rules& rules = {},
                    int64_t now = kNow) {
  Judged judged;
  Checks checks(judged.verdict);
  judged.platform = appraise(evidence, rules, collateral, now, checks);
  return judged;
}

}  // namespace casemate::verify::snp::testing
