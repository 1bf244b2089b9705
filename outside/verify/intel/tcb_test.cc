// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/tcb.h"

#include <gtest/gtest.h>

#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/testing/platform.h"

namespace casemate::verify::intel {
namespace {

using testing::Kind;
using testing::TestPlatform;

constexpr std::array kUnreadable = {"",
                                    "2026-02-18",
                                    "2026-02-18T10:58:51",
                                    "2026-02-18T10:58:51z",
                                    "2026-02-18t10:58:51Z",
                                    "2026-02-18 10:58:51Z",
                                    "2026-02-18T10:58:51.0Z",
                                    "2026-02-18T10:58:51+00:00",
                                    " 2026-02-18T10:58:51Z",
                                    "2026-02-18T10:58:51Z ",
                                    "2026-2-18T10:58:51Z",
                                    "+026-02-18T10:58:51Z",
                                    "2026-02-18T1 :58:51Z",
                                    "2026-00-18T10:58:51Z",
                                    "2026-13-18T10:58:51Z",
                                    "2026-02-00T10:58:51Z",
                                    "2026-02-29T10:58:51Z",
                                    "2026-04-31T10:58:51Z",
                                    "2026-02-18T24:00:00Z",
                                    "2026-02-18T10:60:51Z",
                                    "2026-02-18T10:58:60Z",
                                    "tomorrow"};

std::string first_failure_of(const TestPlatform& made) {
  Verdict verdict;
  Checks checks(verdict);
  appraise(made.quote(), made.rules(), made.collateral(), testing::kNow, checks);
  const Check* failure = verdict.first_failure();
  return failure == nullptr ? "" : std::string(failure->code);
}

TEST(TimesOfStatements, have_one_spelling) {
  EXPECT_EQ(time_of("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(time_of("2026-03-01T00:00:00Z"), testing::kNow);
  EXPECT_EQ(time_of("2026-03-01T01:02:03Z"), testing::kNow + 3723);
  EXPECT_EQ(time_of("2024-02-29T23:59:59Z"), 1'709'251'199);
  EXPECT_EQ(time_of("9999-12-31T23:59:59Z"), 253'402'300'799);
  for (const char* text : kUnreadable) EXPECT_EQ(time_of(text), std::nullopt) << text;
}

TEST(TimesOfStatements, that_cannot_be_read_make_them_none) {
  const TestPlatform made(Kind::kTdx4);
  ASSERT_EQ(first_failure_of(made), "");
  for (const char* text : kUnreadable) {
    for (const char* key : {"issueDate", "nextUpdate"}) {
      TestPlatform bent = made;
      bent.tcb_info[key] = text;
      EXPECT_EQ(first_failure_of(bent), "intel.tcb_info") << key << " " << text;
      bent = made;
      bent.qe_identity[key] = text;
      EXPECT_EQ(first_failure_of(bent), "intel.qe_identity") << key << " " << text;
    }
    TestPlatform bent = made;
    bent.tcb_info["tcbLevels"][1]["tcbDate"] = text;
    EXPECT_EQ(first_failure_of(bent), "intel.tcb_info") << text;
  }
  for (const auto& wrong : {nlohmann::ordered_json(), nlohmann::ordered_json(1'772'323'200)}) {
    TestPlatform bent = made;
    bent.tcb_info["nextUpdate"] = wrong;
    EXPECT_EQ(first_failure_of(bent), "intel.tcb_info") << wrong;
  }
}

}  // namespace
}  // namespace casemate::verify::intel
