// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "outside/cli/commands.h"
#include "outside/cli/divide.h"
#include "outside/cli/serve_log.h"
#include "outside/launch/describe.h"
#include "outside/launch/device_evidence.h"
#include "outside/launch/programs.h"
#include "outside/launch/roots.h"
#include "outside/launch/start.h"
#include "outside/relay/relay.h"

namespace casemate::cli {
namespace {

using operating::State;

struct ServeFlags {
  std::string config;
  std::string models;
  std::string listen;
  std::string root = "auto";
  std::string keys;
  std::vector<std::string> device_evidence;
  bool debug = false;
  std::string log = "text";
};

// A model that takes longer to compile goes on in the background; the table says that it is
// starting.
constexpr auto kStartPatience = std::chrono::seconds(60);

Result<launch::SystemFile> settings_of(const ServeFlags& flags) {
  launch::SystemFile file;
  if (!flags.config.empty()) file = TRY(launch::SystemFile::load(flags.config));
  if (!flags.models.empty()) file.repository = flags.models;
  if (!flags.listen.empty()) file.gateway.listen = flags.listen;
  if (flags.debug) file.defaults.debug = true;
  return file;
}

bool settled(const operating::Reply& status) {
  for (uint32_t e = 0; e < status.enclave_count; ++e) {
    const auto state = static_cast<State>(status.enclaves[e].state);
    if (state == State::kDown || state == State::kStarting || state == State::kBackingOff)
      return false;
  }
  return true;
}

// Without its gateway a system serves nobody.
Status gateway_runs(const operating::Reply& status) {
  for (uint32_t e = 0; e < status.enclave_count; ++e) {
    const operating::EnclaveStatus& enclave = status.enclaves[e];
    if (enclave.kind != static_cast<uint32_t>(EnclaveKind::kGateway) ||
        enclave.state == static_cast<uint32_t>(State::kRunning))
      continue;
    return Error{Code::kPlatform,
                 formatted("the gateway does not start ({}); the lines above say why, and "
                           "'casemate doctor' shows what this machine lacks",
                           printable(enclave.reason.view()))};
  }
  return {};
}

bool monitor_ended(const launch::RunningSystem& system) {
  siginfo_t ended{};
  const auto id = static_cast<id_t>(system.monitor());
  return ::waitid(P_PID, id, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0;
}

// Waits for a signal to stop, or for the end of the monitor; true for the latter. Other children's
// ends are no reason.
bool wait_for_end(const launch::RunningSystem& system, const sigset_t& signals) {
  while (true) {
    siginfo_t signal{};
    if (::sigwaitinfo(&signals, &signal) < 0) continue;
    if (signal.si_signo != SIGCHLD) return false;
    if (monitor_ended(system)) return true;
  }
}

// The state once nothing is starting any more, or after kStartPatience. Fails when the monitor does
// not answer by then or has ended, or when a signal says stop.
Result<std::unique_ptr<operating::Reply>> wait_until_settled(const launch::RunningSystem& system,
                                                             const sigset_t& signals) {
  const Instant give_up = system_clock().now() + kStartPatience;
  const timespec pause{0, 10'000'000};
  while (true) {
    auto status = launch::ask(system.socket_path(), operating::Command::kStatus);
    if (system_clock().now() > give_up || (status && settled(**status))) return status;
    if (monitor_ended(system)) {
      return Error{Code::kPlatform,
                   "the monitor ended while it was starting; its lines above say why"};
    }
    const int signal = ::sigtimedwait(&signals, nullptr, &pause);
    if (signal > 0 && signal != SIGCHLD)
      return Error{Code::kCancelled, "told to stop while it was starting"};
  }
}

// Ends the system, and says why if it was not asked for. A stuck monitor is the worse of two
// failures.
int stop(launch::RunningSystem& system, const Status& reason, ServeLog& log) {
  const Status stopped = system.stop();
  log.close();
  const int code = reason ? kDone : log.fail(reason.error());
  return stopped ? code : log.fail(stopped.error());
}

// Where the keys of sealed models come from; nothing where no model is sealed.
Result<std::optional<client::Url>> key_service(const ServeFlags& flags,
                                               std::span<const launch::ModelFiles> models) {
  std::optional<client::Url> service;
  if (!flags.keys.empty()) service = TRY(relay::parse_service(flags.keys));
  const auto sealed = std::ranges::find_if(models, &launch::ModelFiles::sealed);
  if (sealed == models.end()) return std::optional<client::Url>();
  if (service) return service;
  return Error{Code::kInvalid,
               formatted("model {} is sealed; name the key service of its owner with --keys "
                         "http://HOST:PORT",
                         sealed->name)};
}

int serve(const ServeFlags& flags, ServeLog& log) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::unique_ptr<SystemDescription> description;
  std::optional<client::Url> keys;
  const auto prepared = [&]() -> Result<launch::RunningSystem> {
    launch::SystemFile file = TRY(settings_of(flags));
    const RootKind root = TRY(launch::choose_root(flags.root, launch::roots_here()));
    const std::string programs = TRY(launch::program_folder());
    const auto repository = TRY(launch::scan_repository(file.repository));
    for (const std::string& warning : repository.warnings) log.warn(warning);
    keys = TRY(key_service(flags, repository.models));
    TRY(divide(file, repository.models, programs));
    description = TRY(launch::describe(file, repository.models, programs));
    description->root = static_cast<uint32_t>(root);
    TRY(launch::add_device_evidence(*description, flags.device_evidence));
    const launch::Outputs outputs = TRY(log.open(*description));
    return launch::RunningSystem::start(*description, file.gateway, programs, outputs);
  };
  auto system = prepared();
  if (!system) return log.fail(system.error());
  log.listen();
  std::optional<relay::Relay> relay;
  if (keys)
    relay.emplace(system->socket_path(), *keys, [&](const std::string& line) { log.warn(line); });
  const auto status = wait_until_settled(*system, signals);
  if (!status) {
    const bool cancelled = status.error().code == Code::kCancelled;
    return stop(*system, cancelled ? Status() : status.error(), log);
  }
  if (const Status runs = gateway_runs(**status); !runs) return stop(*system, runs, log);
  log.serving("https://" + system->address(), **status);
  if (!wait_for_end(*system, signals)) return stop(*system, {}, log);
  const int code = system->collect();
  log.close();
  return code;
}

}  // namespace

Run add_serve(CLI::App& app) {
  auto flags = std::make_shared<ServeFlags>();
  app.add_option("--config", flags->config,
                 "a system file (see systems/); without one, every model gets its own partition");
  app.add_option("--models", flags->models,
                 "model repository in Triton's layout (default: models)");
  app.add_option(
      "--listen", flags->listen,
      formatted("ADDRESS:PORT (default: {}; port 0 picks one)", launch::GatewaySettings().listen));
  app.add_option("--keys", flags->keys,
                 "the key service of sealed models' owner, http://HOST:PORT: casemate keys serve")
      ->type_name("URL");
  app.add_option("--device-evidence", flags->device_evidence,
                 "what an accelerator says of itself, or its driver's author of it, for clients to "
                 "judge (docs/evidence.md); repeat it")
      ->type_name("DEVICE=FILE")
      ->allow_extra_args(false);
  app.add_option("--root", flags->root,
                 "root of trust: tsm, gramine, tpm or software, or auto, the strongest that is "
                 "here (casemate doctor lists them)")
      ->capture_default_str();
  app.add_flag("--debug", flags->debug,
               "enclaves may write to stderr; every verdict shows it, and refuses it by default");
  app.add_option("--log", flags->log,
                 "text, or json: one object per line on stderr, see docs/logs.md")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->capture_default_str();
  return [flags](Streams streams) {
    ServeLog log(flags->log == "json", streams);
    return serve(*flags, log);
  };
}

}  // namespace casemate::cli
