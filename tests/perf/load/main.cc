// SPDX-License-Identifier: Apache-2.0
// casemate-load [--json] URL MODEL INPUT=FILE.npy RATE SECONDS [CONNECTIONS]: calls a model at a
// steady rate and prints what came of it; as JSON with every call's beginning (seconds of the
// monotonic clock) and length (milliseconds). Exits 1 when a call failed or an answer was wrong.
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "base/format.h"
#include "outside/client/file.h"
#include "outside/client/npy.h"
#include "tests/perf/load/load.h"

namespace {

using namespace casemate;

void print_json(const perf::LoadReport& report) {
  std::cout << casemate::formatted(
      "{{\"answered\": {}, \"failed\": {}, \"wrong\": {}, \"calls\": [", report.answered,
      report.failed, report.wrong);
  const char* separator = "";
  for (const perf::TimedCall& call : report.calls) {
    std::cout << casemate::formatted("{}[{:.6f}, {:.4f}]", separator, call.begin_s,
                                     call.milliseconds);
    separator = ", ";
  }
  std::cout << "]}\n";
}

void print_text(const perf::LoadReport& report) {
  std::cout << casemate::formatted(
      "{} answered, {} failed, {} wrong; latency ms p50 {:.2f} p99 {:.2f} max {:.2f}\n",
      report.answered, report.failed, report.wrong, report.percentile(0.5), report.percentile(0.99),
      report.percentile(1));
  if (report.failed > 0) std::cout << "first failure: " << report.first_failure << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::string_view(argv[1]) == "--json";
  if (json) {
    ++argv;
    --argc;
  }
  if (argc < 6) {
    std::cerr
        << "usage: casemate-load [--json] URL MODEL INPUT=FILE.npy RATE SECONDS [CONNECTIONS]\n";
    return 2;
  }
  const std::string input(argv[3]);
  const size_t equals = input.find('=');
  const auto file = client::read_file(input.substr(equals + 1), limits::kTensorBytes);
  auto tensor = file ? client::read_npy(*file) : Result<client::Tensor>(file.error());
  if (!tensor) {
    std::cerr << tensor.error().text << "\n";
    return 1;
  }
  tensor->name = input.substr(0, equals);
  perf::LoadPlan plan{argv[1],
                      argv[2],
                      {*tensor},
                      std::atof(argv[4]),
                      std::atof(argv[5]),
                      argc > 6 ? std::atoi(argv[6]) : 2};
  const auto report = perf::run(plan);
  if (!report) {
    std::cerr << report.error().text << "\n";
    return 1;
  }
  json ? print_json(*report) : print_text(*report);
  return report->failed + report->wrong > 0 ? 1 : 0;
}
