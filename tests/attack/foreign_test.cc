// SPDX-License-Identifier: Apache-2.0
// The sins again, by a program that `casemate run` was given. It may do what programs do in their
// own jail; whatever reaches further gains nothing.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <sstream>

#include "base/format.h"
#include "tests/fixture/sin.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

// Processes, code and descriptors of its own, which it needs to be a program at all.
const std::set<std::string> kItsOwn = {"become_dumpable",   "fork_process",   "make_memory_file",
                                       "make_socketpair",   "map_executable", "open_pidfd",
                                       "protect_executable"};

std::string printed_by(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[4096];
  for (size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    text.append(buffer, got);
  ::pclose(pipe);
  return text;
}

TEST(ForeignProgram, commits_every_sin_and_gains_nothing_that_is_not_its_own) {
  const std::string bin = build_folder() + "/bin";
  std::istringstream lines(
      printed_by(formatted("{}/casemate run -- {}/casemate-sinner", bin, bin)));
  size_t committed = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(':'));
    const bool gained = !line.ends_with(": nothing") && !line.contains(": killed by ");
    ++committed;
    if (line == "write_own_root: made a file in /tmp/") continue;  // which is its own
    EXPECT_EQ(gained, kItsOwn.contains(name)) << line;
  }
  size_t all = 0;
  for (const auto& [name, sin] : fixture::sins())
    all += !fixture::needs_stream(name) && !name.starts_with("signal_") ? 1u : 0u;
  EXPECT_GE(committed, all);
  EXPECT_GT(all, 25u);
}

}  // namespace
}  // namespace casemate::tests
