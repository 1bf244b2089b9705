// SPDX-License-Identifier: Apache-2.0
#pragma once
// Measured: what a port of Rodinia's needs beside a Host: a size from the command line, one warm
// round in which kernels are compiled for their shapes, and a time.

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tests/opencl/programs/host.h"

inline size_t size_from(int count, char** words, size_t standard) {
  return count > 1 ? std::strtoul(words[1], nullptr, 10) : standard;
}

// Runs `round` as often as the second word says (once without one) behind a round that is not
// timed, and says on the error stream what one took in the median. A second word "turns": once for
// each byte that comes in, and says what each took, so that others can be measured in between.
template <class Round>
void measured(const char* name, int count, char** words, Round round) {
  using Clock = std::chrono::steady_clock;
  const bool turns = count > 2 && std::strcmp(words[2], "turns") == 0;
  const unsigned long rounds = count > 2 && !turns ? std::strtoul(words[2], nullptr, 10) : 1;
  round();
  std::vector<double> times;
  while (turns ? std::getchar() != EOF : times.size() < rounds) {
    const auto begin = Clock::now();
    round();
    const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    times.push_back(took.count());
    if (turns) std::fprintf(stderr, "%s %.3f ms\n", name, took.count());
  }
  std::ranges::sort(times);
  if (!turns) std::fprintf(stderr, "%s %.3f ms\n", name, times[times.size() / 2]);
}

inline std::vector<float> random_floats(size_t count, uint64_t seed, float from = 0, float to = 1) {
  Numbers numbers(seed);
  std::vector<float> values(count);
  for (float& value : values) value = from + (to - from) * numbers.unit();
  return values;
}

// The host's own answer beside the device's.
inline void compare(const char* what, bool good) {
  std::printf("%s: %s\n", what, good ? "as computed here" : "WRONG");
  if (!good) std::exit(1);
}
inline bool close(double a, double b, double tolerance) {
  const double apart = a < b ? b - a : a - b;
  const double size = (a < 0 ? -a : a) + (b < 0 ? -b : b);
  return apart <= tolerance * (1 + size);
}
