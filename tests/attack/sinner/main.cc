// SPDX-License-Identifier: Apache-2.0
// casemate-sinner: commits every sin that needs no stream, and prints one line for each.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "tests/fixture/sin.h"

namespace {

using casemate::fixture::sins;

void commit(const std::string& name) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(5);  // some of them wait for what does not come
    const std::string gained = sins().at(name).commit();
    std::printf("%s: %s\n", name.c_str(), gained.empty() ? "nothing" : gained.c_str());
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) std::printf("%s: killed by %d\n", name.c_str(), WTERMSIG(status));
}

}  // namespace

int main() {
  for (const auto& [name, sin] : sins()) {
    // Whom it could signal is this program alone.
    if (!casemate::fixture::needs_stream(name) && !name.starts_with("signal_")) commit(name);
  }
  return 0;
}
