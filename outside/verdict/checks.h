// SPDX-License-Identifier: Apache-2.0
#pragma once
// The kinds of checks, and the list in which a verification records what they found.
//
//   Owns     the list refers to the verdict that it fills.
//   Threads  one verification, one thread.
//   Trust    subjects and values are made printable by the caller.
//   Fails    cannot.

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "outside/verdict/verdict.h"

namespace casemate::verify {

// A kind of check. Codes are part of the interface: programs match on them, so they are never
// renamed.
struct CheckKind {
  std::string_view code;
  std::string_view title;   // what the check looks at, in plain words
  std::string_view remedy;  // what to do when it fails
  constexpr operator std::string_view() const { return code; }
  friend constexpr bool operator==(const CheckKind& kind, std::string_view other) {
    return kind.code == other;
  }
};

// What one check found. Of a good one both texts may be left out: it wanted what the title says,
// and found that.
struct Finding {
  bool good = false;
  std::string expected{};
  std::string actual{};
  bool allowed = false;  // not good, and the policy lets it pass
  std::string remedy{};  // more than the kind of check knows; or ""
};

// Writes checks into a verdict. A failed `require` stops everything behind it; a failed `judge` is
// the policy's "no" to something that was proved, and the rest is still looked at.
class Checks final {
 public:
  explicit Checks(Verdict& verdict) : verdict_(verdict) {}

  template <class Body>
  void require(const CheckKind& kind, std::string subject, Body body) {
    if (!record(kind, std::move(subject), body)) halted_ = true;
  }
  template <class Body>
  void judge(const CheckKind& kind, std::string subject, Body body) {
    record(kind, std::move(subject), body);
  }

  // Whether a required check has failed: what would follow is listed as not run.
  [[nodiscard]] bool halted() const { return halted_; }

 private:
  // True unless the check ran and failed.
  template <class Body>
  bool record(const CheckKind& kind, std::string subject, Body& body) {
    Check check{.code = kind.code,
                .title = kind.title,
                .remedy = std::string(kind.remedy),
                .subject = std::move(subject)};
    if (!halted_) {
      Finding finding = body();
      check.outcome = finding.good      ? Outcome::kPassed
                      : finding.allowed ? Outcome::kAllowed
                                        : Outcome::kFailed;
      check.expected = std::move(finding.expected);
      check.actual = std::move(finding.actual);
      if (finding.good && check.expected.empty()) check.expected = kind.title;
      if (finding.good && check.actual.empty()) check.actual = "as expected";
      if (!finding.remedy.empty()) check.remedy = std::move(finding.remedy);
    }
    verdict_.checks.push_back(std::move(check));
    return verdict_.checks.back().outcome != Outcome::kFailed;
  }

  Verdict& verdict_;
  bool halted_ = false;
};

}  // namespace casemate::verify
