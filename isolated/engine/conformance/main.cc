// SPDX-License-Identifier: Apache-2.0
// casemate-conformance FOLDER [-o REPORT.md] [PART ...]: runs ONNX's published tests, each in a
// process of its own, and reports pass, skip with its reason, and fail, by suite and by operator.
// With PARTs only cases whose names have one of them. Exits with 1 when a case fails, or when fewer
// cases of a suite pass than did before.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>

#include "base/format.h"
#include "isolated/engine/conformance/case.h"
#include "isolated/engine/conformance/skips.h"
#include "isolated/engine/interpret/interpreter.h"
#include "isolated/engine/runner.h"
#include "isolated/tensors/tensors.h"

namespace casemate::engine {
namespace {

constexpr int kCaseMs = 120'000;
constexpr uint64_t kMemoryMax = 4ull << 30;
// Of the suite of operators, but what is about numbers that are not held.
constexpr int kPassedPercentMin = 97;

// As many as passed when this was written, of the cases whose "suite/name" starts with `part`: to
// be raised with what passes. What is left out of each is in skips.h, by its name.
struct Bar {
  std::string_view part;
  int passed_min;
};
constexpr auto kBars = std::to_array<Bar>({
    {"light/", 9},
    {"node/", 1203},
    {"pytorch-converted/", 82},
    {"pytorch-operator/", 35},
    {"simple/", 21},
    // The optimisers of ai.onnx.preview.training: all but adam_multiple.
    {"node/test_adagrad", 2},
    {"node/test_adam", 1},
    {"node/test_momentum", 2},
    {"node/test_nesterov_momentum", 1},
});

// Empty when the case passes by all ways to run it: interpreted, planned with all kernels, and
// planned as for a shape that is first seen when a model serves. Otherwise what went wrong.
std::string outcome_of(const Case& tested) {
  auto loaded = load_case(tested);
  if (!loaded) return loaded.error().text;
  const Graph& graph = loaded->model.graph;
  Interpreter interpreter;
  const auto reference = interpreter.run(graph, loaded->inputs);
  if (!reference) return reference.error().text;
  if (const std::string found = difference(*reference, loaded->outputs); !found.empty())
    return found;
  auto weights = tensors::WeightStore::make(kMemoryMax);
  if (!weights) return weights.error().text;
  Packer packer(*weights);
  Compiler early(packer, Compiler::Code::kGenerated);
  Compiler late(kMemoryMax);
  for (auto& [compiler, kind] : {std::pair(&early, "planned"), std::pair(&late, "planned late")}) {
    Runner runner(*compiler, {});
    const auto planned = runner.run(graph, loaded->inputs);
    const std::string found =
        planned ? difference(*planned, loaded->outputs) : planned.error().text;
    if (!found.empty()) return formatted("{}: {}", kind, found);
  }
  return {};
}

// The same in a child: what kills a case kills that case alone.
std::string isolated_outcome(const Case& tested) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string outcome = outcome_of(tested);
    const bool written = outcome.empty() || ::write(ends[1], outcome.data(),
                                                    std::min<size_t>(outcome.size(), 4000)) > 0;
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::string outcome;
  pollfd ready{ends[0], POLLIN, 0};
  if (::poll(&ready, 1, kCaseMs) == 1) {
    char buffer[4000];
    const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
    outcome.assign(buffer, static_cast<size_t>(std::max<ssize_t>(got, 0)));
  } else {
    ::kill(child, SIGKILL);
    outcome = "it does not end";
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (outcome.empty() && status != 0) return formatted("its process died ({})", status);
  return outcome;
}

const Skip* skip_of(const Case& tested) {
  const auto named = [&](const Skip& skip) { return tested.name.contains(skip.part); };
  const auto found = std::ranges::find_if(kSkips, named);
  return found == kSkips.end() ? nullptr : &*found;
}

struct Count {
  int passed = 0;
  int skipped = 0;
  int failed = 0;
  int of_types = 0;  // skipped, and outside of the bar
};

struct Report {
  std::map<std::string, Count> suites;
  std::map<std::string, Count> operators;
  std::map<std::string, int> reasons;
  std::vector<std::pair<std::string, std::string>> failures;
  std::array<int, kBars.size()> passed{};  // by bar

  void add(const Case& tested) {
    const Skip* skip = skip_of(tested);
    const std::string outcome = isolated_outcome(tested);
    Count& suite = suites[tested.suite];
    Count& op = operators[operator_of(tested)];
    if (skip != nullptr && !skip->reason.empty() && !outcome.empty()) {
      ++suite.skipped, ++op.skipped;
      suite.of_types += skip->of_types ? 1 : 0;
      ++reasons[std::string(skip->reason)];
    } else if (outcome.empty() && skip == nullptr) {
      ++suite.passed, ++op.passed;
      for (size_t i = 0; i < kBars.size(); ++i)
        passed[i] += (tested.suite + "/" + tested.name).starts_with(kBars[i].part) ? 1 : 0;
    } else {
      ++suite.failed, ++op.failed;
      failures.emplace_back(tested.suite + "/" + tested.name,
                            outcome.empty() ? "it passes, and is among those to skip" : outcome);
    }
  }
};

void print_counts(std::FILE* to, std::string_view kind,
                  const std::map<std::string, Count>& counts) {
  std::fprintf(to, "| %s | pass | skip | fail |\n|---|--:|--:|--:|\n", std::string(kind).c_str());
  for (const auto& [name, count] : counts) {
    std::fprintf(to, "| %s | %d | %d | %d |\n", name.c_str(), count.passed, count.skipped,
                 count.failed);
  }
  std::fprintf(to, "\n");
}

void print_report(std::FILE* to, const Report& report) {
  std::fprintf(to,
               "# Conformance\n\nONNX's published tests, run by `casemate-conformance`, which "
               "writes this page.\n\n");
  print_counts(to, "suite", report.suites);
  print_counts(to, "operator", report.operators);
  std::fprintf(to, "| skipped because | cases |\n|---|--:|\n");
  for (const auto& [reason, count] : report.reasons)
    std::fprintf(to, "| %s | %d |\n", reason.c_str(), count);
  if (report.failures.empty()) return;
  std::fprintf(to, "\n| failed | because |\n|---|---|\n");
  for (const auto& [name, reason] : report.failures)
    std::fprintf(to, "| %s | %s |\n", name.c_str(), reason.c_str());
}

// Says so, too. A suite that is missing has no case that passes.
bool below_a_bar(const Report& report) {
  bool below = false;
  for (size_t i = 0; i < kBars.size(); ++i) {
    if (report.passed[i] >= kBars[i].passed_min) continue;
    below = true;
    std::fprintf(stderr,
                 "%s: %d cases pass, %d have to: install all of libonnx-testdata, or look for what "
                 "broke them\n",
                 std::string(kBars[i].part).c_str(), report.passed[i], kBars[i].passed_min);
  }
  const auto found = report.suites.find("node");
  const Count count = found == report.suites.end() ? Count{} : found->second;
  const int all = count.passed + count.skipped + count.failed - count.of_types;
  if (count.passed * 100 >= kPassedPercentMin * all) return below;
  std::fprintf(stderr, "node: %d of %d cases pass, fewer than %d of 100\n", count.passed, all,
               kPassedPercentMin);
  return true;
}

bool wanted(const Case& tested, const std::vector<std::string>& parts) {
  if (parts.empty()) return true;
  for (const std::string& part : parts) {
    if ((tested.suite + "/" + tested.name).contains(part)) return true;
  }
  return false;
}

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: casemate-conformance FOLDER [-o REPORT.md] [PART ...]\n");
    return 2;
  }
  std::string output;
  std::vector<std::string> parts;
  for (int i = 2; i < argc; ++i) {
    if (std::string_view(argv[i]) == "-o" && i + 1 < argc) {
      output = argv[++i];
    } else {
      parts.emplace_back(argv[i]);
    }
  }
  Report report;
  for (const Case& tested : find_cases(argv[1])) {
    if (wanted(tested, parts)) report.add(tested);
  }
  std::FILE* to = output.empty() ? stdout : std::fopen(output.c_str(), "w");
  if (to == nullptr) return 3;
  print_report(to, report);
  if (to != stdout) std::fclose(to);
  for (const auto& [name, reason] : report.failures)
    std::fprintf(stderr, "FAIL %s: %s\n", name.c_str(), reason.c_str());
  for (const auto& [suite, count] : report.suites) {
    std::fprintf(stderr, "%s: %d passed, %d skipped, %d failed\n", suite.c_str(), count.passed,
                 count.skipped, count.failed);
  }
  const bool below = parts.empty() && below_a_bar(report);
  return report.failures.empty() && !below ? 0 : 1;
}

}  // namespace
}  // namespace casemate::engine

int main(int argc, char** argv) { return casemate::engine::run(argc, argv); }
