// SPDX-License-Identifier: Apache-2.0
// casemate top: what runs here, how fast and for how long, live.
#include <unistd.h>

#include <memory>
#include <optional>

#include "outside/cli/commands.h"
#include "outside/cli/server_flags.h"
#include "outside/client/session.h"
#include "outside/launch/operator.h"
#include "outside/top/latencies.h"
#include "outside/top/live.h"

namespace casemate::cli {
namespace {

struct TopFlags {
  std::string socket;
  std::string server;
  PolicyFlags policy;
  double interval_s = 1;
  bool once = false;
};

// The system's gateway, connected to anew when its partition was.
class Gateway final {
 public:
  Gateway(std::string url, verify::Policy policy)
      : url_(std::move(url)), policy_(std::move(policy)) {}

  Result<top::ServedModels> served() {
    if (!session_) session_.emplace(TRY(client::Session::connect(url_, policy_, patience_)));
    const auto metrics = session_->metrics();
    if (metrics) return top::served_models(*metrics);
    session_.reset();
    return metrics.error();
  }

 private:
  const client::Options patience_{.timeout = std::chrono::seconds(2)};
  std::string url_;
  verify::Policy policy_;
  std::optional<client::Session> session_;
};

Result<top::Live> live_of(const TopFlags& flags) {
  top::Live live;
  live.interval =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags.interval_s));
  const std::string socket = TRY(launch::find_socket(flags.socket));
  std::shared_ptr<Gateway> gateway;
  if (!flags.server.empty()) {
    gateway = std::make_shared<Gateway>(flags.server, TRY(flags.policy.policy()));
    TRY(gateway->served());  // a server that is refused is refused before anything is shown
  }
  live.look = [socket, gateway]() -> Result<top::Look> {
    top::Look look;
    look.reply = *TRY(launch::ask(socket, operating::Command::kStatus));
    look.at = system_clock().now();
    if (!gateway) return look;
    // While its partition starts anew there are no latencies, and that is no failure of this.
    look.served = gateway->served().value_or(top::ServedModels());
    return look;
  };
  live.kill = [socket](const launch::Target& target) -> Status {
    using operating::Command;
    TRY(target.enclave ? launch::ask(socket, Command::kKillEnclave, "", *target.enclave)
                       : launch::ask(socket, Command::kKill, target.name));
    return {};
  };
  return live;
}

Status show_system(const TopFlags& flags, Streams streams) {
  const top::Live live = TRY(live_of(flags));
  if (flags.once || ::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
    streams.out << TRY(top::once(live));
  } else {
    TRY(live.look());  // where nothing runs, a sentence is better than an empty screen
    top::run(live);
  }
  return {};
}

}  // namespace

Run add_top(CLI::App& app) {
  auto flags = std::make_shared<TopFlags>();
  app.add_flag("--once", flags->once,
               "print one frame as plain text and end, as in a pipe: rates are of one interval");
  app.add_option("--interval", flags->interval_s, "seconds between looks")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.05, 3600.0).description(""))
      ->capture_default_str();
  app.add_option("--server", flags->server,
                 "the system's gateway, to show how long requests take: https://HOST:PORT")
      ->type_name("URL");
  flags->policy.declare(app);
  app.add_option("--socket", flags->socket, "the operator's socket, where several systems run");
  return [flags](Streams streams) {
    const Status done = show_system(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
