// SPDX-License-Identifier: Apache-2.0

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/launch/names.h"
#include "outside/launch/operator.h"

namespace casemate::cli {
namespace {

struct KillFlags {
  std::string socket;
  std::string name;
};

Status kill_target(const KillFlags& flags, Streams streams) {
  const std::string socket = TRY(launch::find_socket(flags.socket));
  const auto reply = TRY(launch::ask(socket, operating::Command::kStatus));
  const launch::Target target = TRY(launch::find_target(*reply, flags.name));
  if (target.enclave) {
    TRY(launch::ask(socket, operating::Command::kKillEnclave, "", *target.enclave));
  } else {
    TRY(launch::ask(socket, operating::Command::kKill, target.name));
  }
  streams.out << formatted("{} {} was killed and is starting again; casemate status shows it\n",
                           target.enclave ? "enclave" : "partition", target.name);
  return {};
}

}  // namespace

Run add_kill(CLI::App& app) {
  auto flags = std::make_shared<KillFlags>();
  app.add_option("NAME", flags->name,
                 "a partition, or an enclave as in digits/1, as casemate status lists them")
      ->type_name("PARTITION|ENCLAVE")
      ->required();
  app.add_option("--socket", flags->socket, "the operator's socket, where several systems run");
  return [flags](Streams streams) {
    const Status done = kill_target(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
