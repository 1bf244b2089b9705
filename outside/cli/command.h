// SPDX-License-Identifier: Apache-2.0
#pragma once
// Command: what every subcommand of `casemate` is made of.
//
// A subcommand NAME is a file NAME_command.cc that defines add_NAME(), and one line in the table of
// commands.h. add_NAME() declares its flags on the app that it is given, and returns what to do
// once they are parsed.
//
//   Owns     values.
//   Threads  one.
//   Trust    arguments are the user's own word.
//   Fails    by exit code: 0 done; 1 refused, with one line on stderr that says what and what to
//            do; 2 usage; 3 the platform failed.

#include <CLI/CLI.hpp>
#include <functional>
#include <ostream>
#include <span>
#include <string>

#include "base/result.h"

namespace casemate::cli {

inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;
inline constexpr int kUsage = 2;
inline constexpr int kPlatform = 3;

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

// Does the work and returns the exit code.
using Run = std::function<int(Streams)>;

// Prints the error's line and returns its exit code.
int fail(const Error& error, Streams streams);

// The whole program. `arguments` do not include its name.
int run(std::span<const std::string> arguments, Streams streams);

}  // namespace casemate::cli
