// SPDX-License-Identifier: Apache-2.0
// casemate plan: what the engine would run for a model, step by step.
#include <memory>

#include "outside/cli/commands.h"
#include "outside/cli/inspect_flags.h"

namespace casemate::cli {

Run add_plan(CLI::App& app) {
  struct Flags : InspectFlags {
    bool print = false;
  };
  const auto flags = std::make_shared<Flags>();
  flags->declare(app);
  flags->declare_threads(app);
  app.add_flag("--print", flags->print, "print the plan; with --json in a form that can be read");
  return [flags](Streams streams) {
    if (flags->print || flags->json) return flags->ask("plan", {}, streams);
    streams.err << "casemate: say what to do with the plan: --print or --json\n";
    return kUsage;
  };
}

}  // namespace casemate::cli
