// SPDX-License-Identifier: Apache-2.0
// casemate-simulation stream|system [--seeds COUNT] [--first SEED]    searches
// casemate-simulation stream|system --seed SEED                       runs one, with a trace
// casemate-simulation stream|system --repeat COUNT                    runs each twice, and compares
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "tests/simulation/stream_world.h"
#include "tests/simulation/system_world.h"

namespace casemate::simulation {
namespace {

struct Outcome {
  uint64_t digest = 0;
  uint64_t steps = 0;
  bool operator==(const Outcome&) const = default;
};

template <class World>
Outcome run_in(uint64_t seed) {
  World world(seed);
  world.run();
  return {world.machine().digest(), world.machine().steps()};
}

Outcome run(std::string_view world, uint64_t seed) {
  current_run().seed = seed;
  return world == "stream" ? run_in<StreamWorld>(seed) : run_in<SystemWorld>(seed);
}

// The same seed from its start, in a process that nothing has happened in.
[[noreturn]] void run_again() {
  const Run& run = current_run();
  const std::string seed = std::to_string(run.seed);
  std::fflush(stdout);
  ::execl("/proc/self/exe", "casemate-simulation", run.world, "--seed", seed.c_str(), nullptr);
  ::_exit(1);
}

void on_crash(int number) {
  std::printf("simulation: world '%s', seed %llu: ended by signal %d\n", current_run().world,
              static_cast<unsigned long long>(current_run().seed), number);
  if (current_run().searching) run_again();
  std::fflush(stdout);
  ::_exit(1);
}

// On a stack of its own: the fiber's may be what is broken.
void expect_crashes() {
  static std::array<uint8_t, 64 << 10> stack;
  stack_t own{};
  own.ss_sp = stack.data();
  own.ss_size = stack.size();
  ::sigaltstack(&own, nullptr);
  for (const int number : {SIGSEGV, SIGABRT, SIGILL, SIGFPE}) {
    struct sigaction action{};
    action.sa_handler = on_crash;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    ::sigaction(number, &action, nullptr);
  }
}

int search(std::string_view world, uint64_t first, uint64_t count) {
  uint64_t steps = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) steps += run(world, seed).steps;
  std::printf("simulation: world '%s': %llu seeds, %llu steps, nothing found\n",
              current_run().world, static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(steps));
  return 0;
}

int repeat(std::string_view world, uint64_t count) {
  for (uint64_t seed = 1; seed <= count; ++seed) {
    if (run(world, seed) == run(world, seed)) continue;
    std::printf("simulation: world '%s': seed %llu does not repeat itself\n", current_run().world,
                static_cast<unsigned long long>(seed));
    return 1;
  }
  return 0;
}

int usage() {
  std::puts(
      "casemate-simulation stream|system [--seeds COUNT] [--first SEED] | --seed SEED | --repeat "
      "COUNT");
  return 2;
}

}  // namespace

void fail(const std::string& what) {
  const Outside outside;
  const unsigned long long step = Machine::exists() ? Machine::here().steps() : 0;
  std::printf("simulation: world '%s', seed %llu, step %llu: %s\n", current_run().world,
              static_cast<unsigned long long>(current_run().seed), step, what.c_str());
  if (current_run().searching) run_again();
  std::fflush(stdout);
  ::_exit(1);
}

int main(int argc, char** argv) {
  uint64_t first = 1;
  uint64_t count = 10'000;
  std::optional<uint64_t> one;
  std::optional<uint64_t> twice;
  if (argc < 2 || argc % 2 != 0) return usage();
  if (std::string_view(argv[1]) != "stream" && std::string_view(argv[1]) != "system")
    return usage();
  current_run().world = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string_view option(argv[i]);
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--seeds") {
      count = value;
    } else if (option == "--first") {
      first = value;
    } else if (option == "--seed") {
      one = value;
    } else if (option == "--repeat") {
      twice = value;
    } else {
      return usage();
    }
  }
  const rlimit files{4096, 4096};
  ::setrlimit(RLIMIT_NOFILE, &files);
  expect_crashes();
  current_run().searching = !one;
  Machine::tracing = one.has_value();
  if (twice) return repeat(argv[1], *twice);
  return one ? search(argv[1], *one, 1) : search(argv[1], first, count);
}

}  // namespace casemate::simulation

int main(int argc, char** argv) { return casemate::simulation::main(argc, argv); }
