// SPDX-License-Identifier: Apache-2.0
// Two ways in. The first byte even: the rest is evidence, with a table of certificates perhaps.
// Odd: the rest is a list of changes to a good report, which is signed again, so that what lies
// behind the signature is reached; such a report may pass, and then nothing is in it that the
// rules forbid.
#include <cstdlib>

#include "outside/verify/snp/testing/judged.h"

namespace {

using casemate::Bytes;
namespace snp = casemate::verify::snp;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const snp::testing::Reporter& reporter, const casemate::verify::Collateral& collateral,
           Bytes evidence) {
  const auto judged = snp::testing::judge(evidence, collateral, reporter.rules());
  require(!text_of(judged.verdict).empty() && !json_of(judged.verdict).empty());
  if (judged.verdict.first_failure() != nullptr) return;
  const auto file = snp::read_report(evidence);
  require(file.has_value() && snp::looks_like(evidence));
  require(!judged.platform.debug && file->report.chip_id == reporter.report.chip_id);
  require((file->report.policy & 1 << 17) != 0 && file->report.vmpl <= 3);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const snp::testing::Reporter good;
  static const auto collateral = good.collateral();
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    check(good, collateral, input);
    auto with_table = good.evidence();
    with_table.insert(with_table.end(), input.begin(), input.end());
    check(good, collateral, with_table);
    return 0;
  }
  auto report = good.report;
  for (; input.size() >= 3; input = input.subspan(3))
    casemate::mutable_bytes_of(report)[(input[0] | input[1] << 8) % 0x2a0] = input[2];
  const auto signature = good.leaf_key.sign(report.signed_bytes());
  require(signature.has_value());
  std::reverse_copy(signature->begin(), signature->begin() + 48, report.signature_r.begin());
  std::reverse_copy(signature->begin() + 48, signature->end(), report.signature_s.begin());
  check(good, collateral, casemate::bytes_of(report));
  return 0;
}
