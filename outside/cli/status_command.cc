// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/commands.h"
#include "outside/cli/status_table.h"
#include "outside/launch/operator.h"

namespace casemate::cli {

Run add_status(CLI::App& app) {
  struct Flags {
    std::string socket;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  app.add_option("--socket", flags->socket, "the operator's socket, where several systems run");
  app.add_flag("--json", flags->json, "for programs");
  return [flags](Streams streams) {
    const auto socket = launch::find_socket(flags->socket);
    if (!socket) return fail(socket.error(), streams);
    const auto status = launch::ask(*socket, operating::Command::kStatus);
    if (!status) return fail(status.error(), streams);
    if (flags->json) {
      print_status_json(**status, streams.out);
    } else {
      print_status(**status, streams.out);
    }
    return kDone;
  };
}

}  // namespace casemate::cli
