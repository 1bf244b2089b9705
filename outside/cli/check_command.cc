// SPDX-License-Identifier: Apache-2.0
// casemate check: whether this build can serve a model, before any server loads it.
#include <memory>

#include "outside/cli/commands.h"
#include "outside/cli/inspect_flags.h"

namespace casemate::cli {

Run add_check(CLI::App& app) {
  const auto flags = std::make_shared<InspectFlags>();
  flags->declare(app);
  return [flags](Streams streams) { return flags->ask("check", {}, streams); };
}

}  // namespace casemate::cli
