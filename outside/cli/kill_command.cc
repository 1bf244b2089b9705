// SPDX-License-Identifier: Apache-2.0

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/launch/operator.h"

namespace casemate::cli {

Run add_kill(CLI::App& app) {
  struct Flags {
    std::string socket;
    std::string partition;
  };
  auto flags = std::make_shared<Flags>();
  app.add_option("PARTITION", flags->partition, "its name, as casemate status lists it")
      ->required();
  app.add_option("--socket", flags->socket, "the operator's socket, where several systems run");
  return [flags](Streams streams) {
    const auto socket = launch::find_socket(flags->socket);
    if (!socket) return fail(socket.error(), streams);
    if (flags->partition.size() >= limits::kName) {
      return fail(
          {Code::kInvalid, formatted("'{}' is longer than any partition's name", flags->partition)},
          streams);
    }
    const auto done = launch::ask(*socket, operating::Command::kKill, flags->partition);
    if (!done) return fail(done.error(), streams);
    streams.out << formatted(
        "partition {} was killed and is starting again; casemate status shows it\n",
        flags->partition);
    return kDone;
  };
}

}  // namespace casemate::cli
