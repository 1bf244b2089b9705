// SPDX-License-Identifier: Apache-2.0
#pragma once
// Work in a process of its own that is killed before any one of its system calls that change files,
// or has that one call fail as on a full or broken disk. It is stepped from call to call with
// ptrace(2), so that the code knows nothing of it.
//
//   Owns     the process, until it has ended.
//   Threads  one; the work starts none.
//   Trust    test code.
//   Fails    with End::kCrashed for a process that ended in any other way, or was not stepped.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace casemate::tests {

// Whether this machine lets a process be traced at all: seccomp or Yama may not.
bool can_step();

enum class End { kKilled, kDone, kFailed, kCrashed };

// Runs `work` in a process that is killed before its `count`-th such call; `calls` gets them all,
// such as "sync keys" or "rename model.sealed". kDone where it made fewer and `work` returned true.
End run_killed(uint64_t count, const std::function<bool()>& work,
               std::vector<std::string>* calls = nullptr);

struct Stepped {
  End end = End::kCrashed;
  std::string call;  // that failed; empty: it made fewer
};
// The same with the `count`-th such call failing with that error, and nothing done by it.
Stepped run_failing(uint64_t count, int error, const std::function<bool()>& work);

// The last part of a path; "growing" for all files that have no name yet.
std::string file_named(const std::filesystem::path& path);

// In memory where there is such a folder: a process that is killed loses nothing there either, and
// nobody waits for a disk some thousand times.
std::string quick_folder();

}  // namespace casemate::tests

// In a test: skips it where no process can be stepped.
#define NEEDS_STEPS()                 \
  if (!::casemate::tests::can_step()) \
  GTEST_SKIP() << "this machine lets no process be traced with ptrace(2)"
