// SPDX-License-Identifier: Apache-2.0
// The first byte even: the rest is a transcript. Odd: the rest are changes to what a device signs,
// which is signed again. What passes is by our key, with the nonce at its place.
#include <cstdlib>

#include "outside/verify/nvidia/testing/gpu.h"

namespace {

using casemate::Bytes;
namespace nvidia = casemate::verify::nvidia;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const nvidia::testing::Gpu gpu;
  static const auto collateral = gpu.collateral();
  static const auto rules = gpu.rules();
  static const auto good = gpu.signed_bytes();
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  std::vector<uint8_t> evidence(input.begin(), input.end());
  if (data[0] % 2 == 1) {
    evidence = good;
    for (; input.size() >= 3; input = input.subspan(3))
      evidence[(input[0] | input[1] << 8) % evidence.size()] = input[2];
    const auto signature = gpu.keys.back().sign(evidence);
    evidence.insert(evidence.end(), signature->begin(), signature->end());
  }
  casemate::verify::Verdict verdict;
  casemate::verify::Checks checks(verdict);
  const auto platform =
      nvidia::appraise(evidence, rules, collateral, nvidia::testing::kNow, checks);
  require(!text_of(verdict).empty() && !json_of(verdict).empty());
  if (verdict.first_failure() != nullptr) return 0;
  const auto transcript = nvidia::read_transcript(evidence);
  require(transcript.has_value() && transcript->blocks.size() == 64);
  require(
      std::equal(transcript->nonce.begin(), transcript->nonce.end(), platform.report_data.begin()));
  require(platform.root_key == gpu.keys.front().public_der());
  return 0;
}
