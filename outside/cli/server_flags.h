// SPDX-License-Identifier: Apache-2.0
#pragma once
// The flags that every command which judges evidence has in common.
//
//   Owns     the flags' values; the app refers to them, so they outlive parsing.
//   Threads  one.
//   Trust    the user's own word.
//   Fails    policy() with what is wrong in the file.

#include <CLI/CLI.hpp>
#include <string>

#include "outside/client/server.h"
#include "outside/verify/policy.h"

namespace casemate::cli {

struct PolicyFlags {
  std::string policy_path;
  std::string collateral_path;
  bool allow_software_root = false;
  bool allow_classical = false;

  void declare(CLI::App& app);
  // The policy of the file, or the strictest one, with what the flags add.
  [[nodiscard]] Result<verify::Policy> policy() const;
  // Of the files that it is read from.
  [[nodiscard]] std::vector<std::string> paths() const;
};

struct ServerFlags {
  std::string url;
  double timeout_s = 30;
  uint32_t retries = 0;

  void declare(CLI::App& app);
  [[nodiscard]] client::Options options() const;
};

}  // namespace casemate::cli
