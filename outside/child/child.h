// SPDX-License-Identifier: Apache-2.0
#pragma once
// Child: a program that is started, listened to, and gone when the call returns.
//
//   Owns     the process; nothing is left of it.
//   Threads  any; the caller may have several.
//   Trust    what the program says may be hostile: it is bounded, and otherwise as it came.
//   Fails    run() with kTimedOut and kTooLarge, the program having been ended; kPlatform where it
//            could not be started or watched. A program that fails is no failure here.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace casemate::child {

struct Command {
  std::string program;                     // its path; nothing is searched for
  std::vector<std::string> arguments;      // its name first
  std::vector<std::string> environment{};  // NAME=VALUE, and nothing else
  std::vector<int> descriptors{};          // which it gets as 3, 4, ...; at most kDescriptors
  uint64_t file_bytes_max = 0;             // of each file that it writes; 0: as much as we may
  static constexpr size_t kDescriptors = 8;
};

// What came of it.
struct Said {
  std::string out;
  std::string err;
  int status = 0;  // as waitpid() tells it
};

// Runs it with an empty standard input until it has ended and nobody holds its outputs any more.
// Ends it when one of these becomes longer than `bytes_max`, and at `end`.
Result<Said> run(const Command& command, uint64_t bytes_max, Instant end);

// Where `name` lies by the variable PATH, of which relative folders are passed over. kNotFound.
Result<std::string> program_in_path(std::string_view name);

// All of this process's environment.
std::vector<std::string> own_environment();

}  // namespace casemate::child
