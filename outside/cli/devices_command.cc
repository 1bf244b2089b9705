// SPDX-License-Identifier: Apache-2.0
// casemate devices: what this build drives on this machine, and, where a system runs, who has it.
#include <memory>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/cli/inspector.h"
#include "outside/cli/tenants.h"
#include "outside/launch/operator.h"
#include "outside/launch/programs.h"

namespace casemate::cli {
namespace {

using System = std::unique_ptr<operating::Reply>;

// Of the system that runs here or was chosen; nothing where none was, and none runs.
Result<System> running_system(const std::string& chosen) {
  auto socket = launch::find_socket(chosen);
  if (!socket && socket.error().code == Code::kNotFound && chosen.empty()) return System();
  return launch::ask(TRY(std::move(socket)), operating::Command::kStatus);
}

// What drivers say is said behind walls.
Result<std::string> machine(bool json) {
  const std::string folder = TRY(launch::program_folder());
  const InspectorLimits limits{.patience = std::chrono::seconds(60)};
  const auto answer = TRY(inspect(folder + "/casemate-inspect", std::nullopt,
                                  {"devices", formatted("json={}", json ? 1 : 0)}, limits));
  if (answer.refusal) return *answer.refusal;
  return answer.text;
}

int print_json(const std::string& said, const operating::Reply* system, Streams streams) {
  auto document = nlohmann::ordered_json::parse(said, nullptr, false);
  if (!document.is_object())
    return fail({Code::kPartitionFailed, "what casemate-inspect said is no JSON"}, streams);
  if (system != nullptr) document["partitions"] = tenants_json(*system);
  streams.out << document.dump(1) << "\n";
  return kDone;
}

}  // namespace

Run add_devices(CLI::App& app) {
  struct Flags {
    std::string socket;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  app.add_option("--socket", flags->socket, "the operator's socket, where several systems run");
  app.add_flag("--json", flags->json, "for programs");
  return [flags](Streams streams) {
    const auto said = machine(flags->json);
    if (!said) return fail(said.error(), streams);
    const auto system = running_system(flags->socket);
    if (!system) return fail(system.error(), streams);
    if (flags->json) return print_json(*said, system->get(), streams);
    streams.out << *said;
    if (*system != nullptr) print_tenants(**system, streams.out);
    return kDone;
  };
}

}  // namespace casemate::cli
