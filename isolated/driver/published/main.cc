// SPDX-License-Identifier: Apache-2.0
// casemate-device-conformance FOLDER DEVICES [PART ...]: ONNX's published tests over devices, each
// node on the first of them that takes it. Exits with 1 when a case comes out wrong.
#include <cstdio>
#include <map>

#include "base/format.h"
#include "isolated/driver/published/published.h"
#include "isolated/engine/conformance/skips.h"

namespace {

using namespace casemate;
using driver::CaseOutcome;

constexpr uint64_t kMemory = 4ull << 30;  // the largest case takes 2.1 GB

bool wanted(const engine::Case& tested, std::span<char* const> parts) {
  for (const auto& skip : engine::kSkips) {
    if (tested.name.contains(skip.part)) return false;
  }
  if (parts.empty()) return true;
  for (const char* part : parts) {
    if ((tested.suite + "/" + tested.name).contains(part)) return true;
  }
  return false;
}

int run(std::span<char* const> arguments) {
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: casemate-device-conformance FOLDER DEVICES [PART ...]\n");
    return 2;
  }
  const auto devices = driver::open_devices(arguments[1], {.memory_bytes = kMemory});
  if (!devices) {
    std::fprintf(stderr, "%s\n", devices.error().text.c_str());
    return 1;
  }
  std::map<CaseOutcome::Kind, int> counts;
  std::map<std::string, int> reasons;
  std::vector<size_t> nodes(devices->size());
  std::vector<int> cases(devices->size());
  for (const engine::Case& tested : engine::find_cases(arguments[0])) {
    if (!wanted(tested, arguments.subspan(2))) continue;
    const CaseOutcome outcome = driver::run_case(tested, *devices);
    ++counts[outcome.kind];
    if (outcome.kind == CaseOutcome::Kind::kNotCut) ++reasons[outcome.why.substr(0, 100)];
    if (outcome.kind == CaseOutcome::Kind::kWrong) {
      std::printf("WRONG %s/%s: %s\n", tested.suite.c_str(), tested.name.c_str(),
                  outcome.why.c_str());
    }
    for (size_t i = 0; i < outcome.nodes.size(); ++i) {
      nodes[i] += outcome.nodes[i];
      cases[i] += outcome.nodes[i] > 0 ? 1 : 0;
    }
  }
  using enum CaseOutcome::Kind;
  std::printf("%d right, %d folded, %d not cut, %d wrong\n", counts[kRight], counts[kFolded],
              counts[kNotCut], counts[kWrong]);
  for (size_t i = 0; i < devices->size(); ++i) {
    std::printf("%s ran %zu nodes of %d cases\n", (*devices)[i].name.c_str(), nodes[i], cases[i]);
  }
  for (const auto& [why, count] : reasons) std::printf("%5d not cut: %s\n", count, why.c_str());
  return counts[kWrong] == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return run(std::span(argv + 1, static_cast<size_t>(argc - 1))); }
