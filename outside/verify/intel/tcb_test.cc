// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/tcb.h"

#include <gtest/gtest.h>

#include "base/format.h"
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

TEST(NumbersOfStatements, that_do_not_fit_make_them_none) {
  using Value = nlohmann::ordered_json;
  const TestPlatform made(Kind::kTdx4);
  const auto component = [](TestPlatform& bent, const Value& value) {
    bent.tcb_info["tcbLevels"][0]["tcb"]["sgxtcbcomponents"][0]["svn"] = value;
  };
  const auto of_tdx = [](TestPlatform& bent, const Value& value) {
    bent.tcb_info["tcbLevels"][1]["tcb"]["tdxtcbcomponents"][15]["svn"] = value;
  };
  const auto pce = [](TestPlatform& bent, const Value& value) {
    bent.tcb_info["tcbLevels"][0]["tcb"]["pcesvn"] = value;
  };
  const auto evaluation = [](TestPlatform& bent, const Value& value) {
    bent.tcb_info["tcbEvaluationDataNumber"] = value;
  };
  struct Number {
    void (*set)(TestPlatform& bent, const Value& value);
    uint64_t beyond;
  };
  for (const Number& number : {Number{component, 256}, Number{of_tdx, 256}, Number{pce, 65'536},
                               Number{evaluation, uint64_t{1} << 32}}) {
    for (const Value& value :
         {Value(number.beyond), Value(uint64_t{1} << 32), Value(uint64_t{1} << 63),
          Value(18'446'744'073'709'551'616.0), Value(-1), Value(INT64_MIN), Value(1.5), Value(1.0),
          Value("1"), Value(true), Value(nullptr), Value(Value::array({1}))}) {
      TestPlatform bent = made;
      number.set(bent, value);
      EXPECT_EQ(first_failure_of(bent), "intel.tcb_info") << number.beyond << " " << value;
    }
  }
  for (const char* key : {"isvprodid", "tcbEvaluationDataNumber", "version"}) {
    for (const Value& value : {Value(uint64_t{1} << 32), Value(-1), Value(2.0), Value("2")}) {
      TestPlatform bent = made;
      bent.qe_identity[key] = value;
      EXPECT_EQ(first_failure_of(bent), "intel.qe_identity") << key << " " << value;
    }
  }
}

// TCB info of these very characters, signed as Intel would.
std::string first_failure_with(const TestPlatform& made, const std::string& text) {
  Collateral collateral;
  const Collateral whole = made.collateral();
  for (const X509Crl& crl : whole.crls()) collateral.add(crl);
  collateral.add(made.tcb_signer.certificate());
  const auto add = [&](std::string_view key, const std::string& value) {
    const std::string signature = to_hex(made.tcb_signer.sign(bytes_of(std::string_view(value))));
    const std::string answer =
        formatted("{{\"{}\":{},\"signature\":\"{}\"}}", key, value, signature);
    EXPECT_TRUE(collateral.add(std::string(key), bytes_of(std::string_view(answer))));
  };
  add("tcbInfo", text);
  add("enclaveIdentity", made.qe_identity.dump());
  Verdict verdict;
  Checks checks(verdict);
  appraise(made.quote(), made.rules(), collateral, testing::kNow, checks);
  const Check* failure = verdict.first_failure();
  return failure == nullptr ? "" : std::string(failure->code);
}

TEST(KeysOfStatements, may_be_spelled_with_escapes_and_are_there_once) {
  const TestPlatform made(Kind::kTdx4);
  const std::string good = made.tcb_info.dump();
  ASSERT_EQ(first_failure_with(made, good), "");
  std::string escaped = good;
  escaped.replace(escaped.find("\"fmspc\""), 7, "\"\\u0066mspc\"");
  EXPECT_EQ(first_failure_with(made, escaped), "") << "the same text to any reader of JSON";
  for (const char* more : {R"("fmspc":"abC06F000000",)", R"("\u0066mspc":"abC06F000000",)",
                           R"("tcbLevels":[],)", R"("tcbLevel\u0073":[],)"}) {
    std::string twice = good;
    twice.insert(1, more);
    EXPECT_EQ(first_failure_with(made, twice), "intel.tcb_info") << more;
  }
}

}  // namespace
}  // namespace casemate::verify::intel
