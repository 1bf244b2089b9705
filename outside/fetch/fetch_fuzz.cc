// SPDX-License-Identifier: Apache-2.0
// Two ways in. The first byte even: the rest is evidence. Odd: the rest is an answer to one of the
// things that can be asked for, its headers and its body parted by a zero byte; what is kept of it
// the folder's reader must be able to read.
#include <algorithm>
#include <cstdlib>

#include "outside/fetch/answer.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/snp/testing/reporter.h"

namespace {

using casemate::Bytes;
namespace fetch = casemate::fetch;
namespace verify = casemate::verify;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<fetch::Wanted> everything() {
  using verify::intel::testing::Kind;
  const verify::intel::testing::TestPlatform platform(Kind::kTdx4);
  const verify::snp::testing::Reporter reporter;
  std::vector<fetch::Wanted> all = fetch::what_to_fetch(platform.quote())->wanted;
  for (const auto& wanted : fetch::what_to_fetch(reporter.evidence())->wanted)
    all.push_back(wanted);
  return all;
}

void plan(Bytes evidence) {
  const auto made = fetch::what_to_fetch(evidence, "Milan");
  require(made.has_value() || !made.error().text.empty());
  if (!made) return;
  for (const auto& wanted : made->wanted) {
    require(wanted.path.starts_with('/') && !wanted.file.empty());
    // Whatever the evidence says, it chooses no other place than one of these.
    require(!wanted.file.contains('/') && !wanted.chain_file.contains('/'));
    require(std::ranges::all_of(wanted.path, [](char c) { return c > ' ' && c < 127; }));
  }
}

void answer(Bytes input) {
  static const auto all = everything();
  if (input.empty()) return;
  const auto& wanted = all[input[0] % all.size()];
  input = input.subspan(1);
  const auto end = std::ranges::find(input, uint8_t{0});
  const Bytes headers(input.begin(), end);
  const Bytes body = end == input.end() ? Bytes() : Bytes(end + 1, input.end());
  const auto kept = fetch::judge_answer(wanted, body, casemate::text_of(headers));
  if (!kept) return;
  verify::Collateral folder;
  for (const auto& file : *kept) require(folder.add(file.file, file.content).has_value());
  require(folder.others().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes input(data + 1, size - 1);
  if (data[0] % 2 == 0)
    plan(input);
  else
    answer(input);
  return 0;
}
