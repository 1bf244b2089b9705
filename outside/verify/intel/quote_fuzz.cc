// SPDX-License-Identifier: Apache-2.0
// Two ways in. The first byte even: the rest is a quote as it came from the network. Odd: the rest
// is a list of changes to good quote and collateral; what was signed is then signed again, so that
// what lies behind the signatures is reached too.
#include <cstdlib>

#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/testing/platform.h"

namespace {

using casemate::Bytes;
namespace verify = casemate::verify;
namespace intel = casemate::verify::intel;

constexpr size_t kChange = 4;  // part, position (2 bytes), value

bool passes(Bytes quote, const intel::Rules& rules, const verify::Collateral& collateral) {
  verify::Verdict verdict;
  verify::Checks checks(verdict);
  const verify::Platform platform =
      intel::appraise(quote, rules, collateral, intel::testing::kNow, checks);
  if (verdict.checks.empty() || text_of(verdict).empty()) std::abort();
  const bool passed = verdict.first_failure() == nullptr;
  if (passed && (platform.debug || platform.tcb.status != "UpToDate")) std::abort();
  return passed;
}

void change(std::vector<uint8_t>& part, Bytes how) {
  if (!part.empty()) part[(how[1] | how[2] << 8) % part.size()] = how[3];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const intel::testing::TestPlatform kGood(intel::testing::Kind::kTdx15);
  static const verify::Collateral kCollateral = kGood.collateral();
  static const intel::Rules kRules = kGood.rules();
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    passes(input, kRules, kCollateral);
    std::vector<uint8_t> quote = kGood.quote();
    for (; input.size() >= kChange; input = input.subspan(kChange)) change(quote, input);
    passes(quote, kRules, kCollateral);
    return 0;
  }
  intel::testing::TestPlatform bent = kGood;
  std::string info = bent.tcb_info.dump();
  std::vector<uint8_t> text(info.begin(), info.end());
  for (; input.size() >= kChange; input = input.subspan(kChange)) {
    switch (input[0] % 5) {
      case 0:
        change(bent.header, input);
        break;
      case 1:
        change(bent.body, input);
        break;
      case 2:
        change(bent.qe_report, input);
        break;
      case 3:
        change(text, input);
        break;
      default:
        bent.left_over.push_back(input[3]);
        break;
    }
  }
  bent.tcb_info = nlohmann::ordered_json::parse(text, nullptr, false);
  if (bent.tcb_info.is_discarded()) bent.tcb_info = kGood.tcb_info;
  passes(bent.quote(), kRules, bent.collateral());
  return 0;
}
