// SPDX-License-Identifier: Apache-2.0
// Times a command from vfork to its end, so often: spawn_peer TIMES COMMAND [ARG ...]
// Without a command it forks and the child ends at once: what no sandbox can be cheaper than.
// Prints one line of JSON: milliseconds per start (median, least, 99th percentile, mean), and
// milliseconds of processor time, with that of all that came of it and was waited for.
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern char** environ;

namespace {

double processor_ms(int whose) {
  rusage used{};
  ::getrusage(whose, &used);
  const auto ms = [](timeval t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

bool start(char** command) {
  pid_t child = -1;
  int status = -1;
  if (*command == nullptr) {
    child = ::fork();
    if (child == 0) ::_exit(0);
  } else if (::posix_spawnp(&child, *command, nullptr, nullptr, command, environ) != 0) {
    return false;
  }
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc < 2 ? 0 : std::atoi(argv[1]);
  if (count <= 0) {
    std::fputs("usage: spawn_peer TIMES [COMMAND [ARG ...]]\n", stderr);
    return 2;
  }
  using Timer = std::chrono::steady_clock;
  std::vector<double> times;
  double sum = 0;
  const double before = processor_ms(RUSAGE_SELF) + processor_ms(RUSAGE_CHILDREN);
  for (int i = 0; i < count; ++i) {
    const auto begin = Timer::now();
    if (!start(argv + 2)) {
      std::fprintf(stderr, "spawn_peer: %s failed\n", argc > 2 ? argv[2] : "fork");
      return 1;
    }
    times.push_back(std::chrono::duration<double, std::milli>(Timer::now() - begin).count());
    sum += times.back();
  }
  const double used = processor_ms(RUSAGE_SELF) + processor_ms(RUSAGE_CHILDREN) - before;
  std::ranges::sort(times);
  std::printf(
      "{\"median_ms\": %.4f, \"min_ms\": %.4f, \"p99_ms\": %.4f, \"mean_ms\": %.4f, "
      "\"cpu_ms\": %.4f}\n",
      times[times.size() / 2], times.front(), times[times.size() * 99 / 100], sum / count,
      used / count);
  return 0;
}
