// SPDX-License-Identifier: Apache-2.0
// casemate plan: what the engine would run for a model, step by step; or, over several devices,
// which of them would run what, and how long that takes.
#include <memory>

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/cli/inspect_flags.h"

namespace casemate::cli {

Run add_plan(CLI::App& app) {
  struct Flags : InspectFlags {
    bool print = false;
    std::string devices;
    std::string prefer;
    int rounds = 5;
  };
  const auto flags = std::make_shared<Flags>();
  flags->declare(app);
  flags->declare_threads(app);
  app.add_flag("--print", flags->print, "print the plan; with --json in a form that can be read");
  CLI::Option* const over =
      app.add_option("--devices", flags->devices,
                     "cut it over these, by what is measured on each now: cpu:0,opencl:0")
          ->type_name("NAME,...");
  CLI::Option* prefer =
      app.add_option("--prefer", flags->prefer, "the one of them that is to run whatever it takes");
  prefer->type_name("NAME")->needs(over);
  app.add_option("--rounds", flags->rounds, "runs on each device, of which the best counts")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str()
      ->needs(over);
  return [flags, over](Streams streams) {
    if (over->count() > 0) {
      std::vector<std::string> more = {"devices=" + flags->devices,
                                       formatted("rounds={}", flags->rounds)};
      if (!flags->prefer.empty()) more.push_back("prefer=" + flags->prefer);
      return flags->ask("plan", more, streams);
    }
    if (flags->print || flags->json) return flags->ask("plan", {}, streams);
    streams.err << "casemate: say what to do with the plan: --print, --json or --devices\n";
    return kUsage;
  };
}

}  // namespace casemate::cli
