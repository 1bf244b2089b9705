// SPDX-License-Identifier: Apache-2.0
// casemate devices: what this build drives on this machine, and, where a system runs, who has it.
#include <sys/sysinfo.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/cli/inspector.h"
#include "outside/cli/opencl_device.h"
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

Result<std::string> machine_with(const std::string& folder, std::vector<std::string> words) {
  const InspectorLimits limits{.patience = std::chrono::seconds(60)};
  const auto answer =
      TRY(inspect(folder + "/casemate-inspect", std::nullopt, std::move(words), limits));
  if (answer.refusal) return *answer.refusal;
  return answer.text;
}

// As many as can be looked at together: "opencl:0,opencl:1".
std::string opencl_names(uint32_t count) {
  constexpr uint32_t kShown = 4;
  std::string names;
  for (uint32_t i = 0; i < std::min(count, kShown); ++i)
    names += formatted("{}opencl:{}", names.empty() ? "" : ",", i);
  return names;
}

// What drivers say is said behind walls. A driver of OpenCL that fails is no reason to say nothing
// of the others.
Result<std::string> machine(bool json, Streams streams) {
  const std::string folder = TRY(launch::program_folder());
  const std::vector<std::string> words = {"devices", formatted("json={}", json ? 1 : 0)};
  const auto count = opencl_device_count(folder);
  if (count && *count == 0) return machine_with(folder, words);
  if (count) {
    struct sysinfo facts{};
    ::sysinfo(&facts);
    std::vector<std::string> more = words;
    more.push_back("devices=" + opencl_names(*count));
    more.push_back(formatted("memory={}", uint64_t{facts.totalram} * facts.mem_unit));
    more.push_back(formatted("threads={}", std::max(std::thread::hardware_concurrency(), 1u)));
    auto said = machine_with(folder, more);
    if (said) return said;
    streams.err << formatted("casemate: OpenCL's devices are left out: {}\n", said.error().text);
  } else {
    streams.err << formatted("casemate: OpenCL's devices are left out: {}\n", count.error().text);
  }
  return machine_with(folder, words);
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
    const auto said = machine(flags->json, streams);
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
