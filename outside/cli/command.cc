// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/command.h"

#include <vector>

#include "base/log.h"
#include "outside/cli/commands.h"

namespace casemate::cli {
namespace {

struct Entry {
  const char* name;
  const char* help;
  Run (*add)(CLI::App&);
};

#define CASEMATE_ENTRY(name, help) {#name, help, add_##name},
constexpr Entry kEntries[] = {CASEMATE_COMMANDS(CASEMATE_ENTRY)};
#undef CASEMATE_ENTRY

// Longer than any sentence of ours with two SHA-384 values in it.
constexpr size_t kLineMax = 1000;

int exit_code(Code code) {
  switch (code) {
    case Code::kUnavailable:
    case Code::kPartitionFailed:
    case Code::kTimedOut:
    case Code::kPlatform:
      return kPlatform;
    default:
      return kRefused;
  }
}

// What the command line says, on the stream where it belongs.
int report(CLI::App& app, const CLI::ParseError& wrong, Streams streams) {
  const bool asked = wrong.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
  app.exit(wrong, streams.out, streams.err);
  return asked ? kDone : kUsage;
}

}  // namespace

int fail(const Error& error, Streams streams) {
  streams.err << "casemate: " << printable(error.text, kLineMax) << "\n";
  return exit_code(error.code);
}

int run(std::span<const std::string> arguments, Streams streams) {
  CLI::App app("Machine learning on machines that you do not trust: verify first, then ask.",
               "casemate");
  app.set_version_flag("--version", "casemate " CASEMATE_VERSION);
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 refused, 2 usage, 3 the platform failed.");
  Run chosen;
  for (const Entry& entry : kEntries) {
    CLI::App* command = app.add_subcommand(entry.name, entry.help);
    command->callback([&chosen, work = entry.add(*command)] { chosen = work; });
  }
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    return chosen(streams);
  } catch (const CLI::ParseError& wrong) {
    return report(app, wrong, streams);
  } catch (const std::exception& failure) {
    return fail({Code::kPlatform, failure.what()}, streams);
  }
}

}  // namespace casemate::cli
