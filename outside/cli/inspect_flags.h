// SPDX-License-Identifier: Apache-2.0
#pragma once
// The flags of the commands that look at a model's file, and what they have in common.
//
//   Owns     the flags' values; the app refers to them, so they outlive parsing.
//   Threads  one.
//   Trust    the user's own word.
//   Fails    as inspect().

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "outside/cli/command.h"

namespace casemate::cli {

struct InspectFlags {
  std::string model;
  std::vector<std::string> shapes;
  int64_t batch = 0;
  int threads = 1;
  uint64_t memory_mib = 4096;
  double timeout_s = 300;
  bool external_data = false;
  bool json = false;

  void declare(CLI::App& app);
  void declare_threads(CLI::App& app);
  // Asks casemate-inspect, prints what it says and returns the exit code. `more` are further words
  // of isolated/inspect/options.h.
  int ask(const std::string& question, const std::vector<std::string>& more, Streams streams) const;
};

}  // namespace casemate::cli
