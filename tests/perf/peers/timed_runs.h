// SPDX-License-Identifier: Apache-2.0
#pragma once
// The protocol of tests/perf/bench/engines.py with an engine that holds one model: a line of JSON
// when it is loaded; then, for each line "SECONDS" on its input, so many seconds of runs, at least
// two of them, and a line with their times; and for "write PATH" a run whose results go there.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

using Clock = std::chrono::steady_clock;

inline double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// The most memory that this process ever had resident (proc(5), VmHWM).
inline long peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    long kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib;
  }
  return 0;
}

// Of all threads of this process (getrusage(2) counts the same).
inline double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// To be called before the first run.
inline void say_loaded(double load_ms) {
  std::printf("{\"load_ms\": %.3f, \"peak_kib\": %ld}\n", load_ms, peak_kib());
  std::fflush(stdout);
}

// What a program that serves runs asks of it: once() runs the model, write(path) once more, and
// writes what came out.
template <class Once, class Write>
void serve_timed_runs(Once once, Write write) {
  for (std::string word; std::cin >> word;) {
    if (word == "write") {
      std::string path;
      std::cin >> path;
      write(path);
      std::printf("{\"written\": \"%s\"}\n", path.c_str());
      std::fflush(stdout);
      continue;
    }
    const double seconds = std::atof(word.c_str());
    std::vector<double> times;
    const double cpu = cpu_ms();
    const auto begin = Clock::now();
    while (times.size() < 2 || ms_since(begin) < seconds * 1e3) {
      const auto start = Clock::now();
      once();
      times.push_back(ms_since(start));
    }
    std::ranges::sort(times);
    std::printf(
        "{\"runs\": %zu, \"median_ms\": %.5f, \"min_ms\": %.5f, \"cpu_ms\": %.5f, \"peak_kib\": "
        "%ld}\n",
        times.size(), times[times.size() / 2], times.front(),
        (cpu_ms() - cpu) / static_cast<double>(times.size()), peak_kib());
    std::fflush(stdout);
  }
}
