// SPDX-License-Identifier: Apache-2.0
// casemate profile: how long which layer of a model takes, beside what the machine can do.
#include <memory>

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/cli/inspect_flags.h"

namespace casemate::cli {

Run add_profile(CLI::App& app) {
  struct Flags : InspectFlags {
    int rounds = 9;
    std::string order = "time";
  };
  const auto flags = std::make_shared<Flags>();
  flags->declare(app);
  flags->declare_threads(app);
  app.add_option("--rounds", flags->rounds, "runs, of which the median counts")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000).description(""))
      ->capture_default_str();
  app.add_option("--by", flags->order,
                 "time: most lost time first; order: as they run; kind: alike layers as one")
      ->type_name("time|order|kind")
      ->check(CLI::IsMember({"time", "order", "kind"}).description(""))
      ->capture_default_str();
  return [flags](Streams streams) {
    return flags->ask("profile", {formatted("rounds={}", flags->rounds), "by=" + flags->order},
                      streams);
  };
}

}  // namespace casemate::cli
