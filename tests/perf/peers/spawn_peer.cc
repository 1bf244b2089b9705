// SPDX-License-Identifier: Apache-2.0
// Times a command from vfork to its end, so often: spawn_peer TIMES COMMAND [ARG ...]
// Prints one line of JSON: milliseconds per start (median, least, 99th percentile).
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern char** environ;

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: spawn_peer TIMES COMMAND [ARG ...]\n", stderr);
    return 2;
  }
  std::vector<double> times;
  for (int i = std::atoi(argv[1]); i > 0; --i) {
    const auto begin = std::chrono::steady_clock::now();
    pid_t child = -1;
    int status = -1;
    if (::posix_spawnp(&child, argv[2], nullptr, nullptr, argv + 2, environ) != 0 ||
        ::waitpid(child, &status, 0) != child || status != 0) {
      std::fprintf(stderr, "spawn_peer: %s failed\n", argv[2]);
      return 1;
    }
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::ranges::sort(times);
  std::printf("{\"median_ms\": %.4f, \"min_ms\": %.4f, \"p99_ms\": %.4f}\n",
              times[times.size() / 2], times.front(), times[times.size() * 99 / 100]);
  return 0;
}
