// SPDX-License-Identifier: Apache-2.0
// Starts instances of a model's enclave from its template, one after another:
//
//   casemate-perf-starter MODEL.onnx [CORE]
//
// with everything on that core, or anywhere. It takes orders from stdin, a line each, and answers
// each with a line of JSON:
//
//   start SECONDS   how many came up, in what time, and what processor time they cost
//   walls COUNT     starts so many and looks at the walls of each
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "base/format.h"
#include "base/log.h"
#include "outside/launch/programs.h"
#include "tests/perf/starter/starter.h"

namespace {

using namespace casemate;
using perf::Starter;

Status measure(Starter& starter, double seconds) {
  std::vector<double> times;
  TRY(starter.start());
  const auto used = starter.processor_time();
  const auto begin = Starter::Timer::now();
  std::chrono::duration<double> passed{};
  while (passed.count() < seconds) {
    TRY(starter.start());
    const std::chrono::duration<double> now = Starter::Timer::now() - begin;
    times.push_back((now - passed).count() * 1e6);
    passed = now;
  }
  const double cpu = (starter.processor_time() - used).count();
  std::ranges::sort(times);
  const auto count = static_cast<double>(times.size());
  std::printf(
      "{\"starts\": %zu, \"seconds\": %.4f, \"cpu_us\": %.1f, \"median_us\": %.1f, "
      "\"p99_us\": %.1f}\n",
      times.size(), passed.count(), cpu / count * 1e6, times[times.size() / 2],
      times[times.size() * 99 / 100]);
  return {};
}

Status look(Starter& starter, int count) {
  for (int i = 0; i < count; ++i) {
    TRY(starter.start());
    TRY(starter.check_walls());
  }
  std::printf("{\"walls\": %d}\n", count);
  return {};
}

Status obey(Starter& starter, const std::string& order, double value) {
  if (order == "start") return measure(starter, value);
  if (order == "walls") return look(starter, static_cast<int>(value));
  return Error{Code::kUnsupported, "there is no such order"};
}

Status run(const std::string& model, int core) {
  perf::StarterSpec spec{std::filesystem::absolute(model), TRY(launch::program_folder())};
  if (core >= 0) {
    spec.cpu_mask = 1ull << core;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(core, &only);
    if (::sched_setaffinity(0, sizeof only, &only) != 0) return errno_error("taking a core");
  }
  const auto starter = TRY(Starter::make(spec));
  std::puts("{\"ready\": 1}");
  std::fflush(stdout);
  double value = 0;
  for (std::string order; std::cin >> order >> value;) {
    TRY(obey(*starter, order, value));
    std::fflush(stdout);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  log_as("perf-starter");
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: casemate-perf-starter MODEL.onnx [CORE]\n";
    return 2;
  }
  const Status done = run(argv[1], argc == 3 ? std::atoi(argv[2]) : -1);
  if (!done) log("{}", done.error().text);
  return done ? 0 : 1;
}
