// SPDX-License-Identifier: Apache-2.0
// casemate proxy: plain KServe v2 on this machine, a verified server behind it.
#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "outside/cli/commands.h"
#include "outside/cli/server_flags.h"
#include "outside/launch/listen.h"
#include "outside/proxy/policy_source.h"
#include "outside/proxy/proxy.h"
#include "outside/proxy/record.h"

namespace casemate::cli {
namespace {

struct ProxyFlags {
  std::string url;
  std::string listen = "127.0.0.1:8000";
  double timeout_s = 10;
  uint32_t connections = proxy::ProxyLimits{}.connections;
  std::vector<std::string> models;
  std::string record;
  PolicyFlags policy;
  bool remote_clients = false;
  bool insecure_skip_verification = false;
};

// Of the proxy that runs; what a signal's handler can reach.
std::atomic<proxy::Proxy*> running_proxy = nullptr;

void stop_running(int) {
  if (proxy::Proxy* proxy = running_proxy.load()) proxy->stop();
}

// While it exists, SIGINT and SIGTERM stop the proxy; a second one ends the process at once.
class StopSignals final {
 public:
  explicit StopSignals(proxy::Proxy& proxy) {
    running_proxy = &proxy;
    struct sigaction action{};
    action.sa_handler = stop_running;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before_[i]);
  }
  ~StopSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    running_proxy = nullptr;
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM};
  std::array<struct sigaction, 2> before_{};
};

void warn_of_development(std::string_view who, Streams streams) {
  streams.err << "casemate: WARNING: " << who
              << ": a server with a development root passes, which proves nothing against whoever "
                 "runs it; send it nothing that he may not see\n"
              << std::flush;
}

constexpr std::string_view kInPolicy = "allow_software_root in the policy";

Result<proxy::GateOptions> gate_of(const ProxyFlags& flags, Streams streams) {
  proxy::GateOptions gate;
  gate.url = TRY(client::parse_url(flags.url));
  // Shared since functions are copied; the opener's thread alone calls them.
  const auto source = std::make_shared<proxy::PolicySource>(
      flags.policy.paths(), [rules = flags.policy] { return rules.policy(); });
  gate.policy = TRY(source->read());
  gate.changed_policy = [source, streams, allowed = gate.policy.allow_software_root]() mutable {
    auto changed = source->changed();
    if (changed && *changed) {
      const bool before = std::exchange(allowed, (*changed)->allow_software_root);
      if (allowed && !before) warn_of_development(kInPolicy, streams);
    }
    return changed;
  };
  if (!flags.record.empty()) {
    const auto record = std::make_shared<proxy::Record>(
        TRY(proxy::Record::open(flags.record, gate.url.authority(), system_clock())));
    gate.record = [record](const auto& looked, const verify::Policy& policy) {
      return record->append(looked, policy);
    };
  }
  gate.client.timeout =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags.timeout_s));
  gate.models = flags.models;
  gate.insecure_skip_verification = flags.insecure_skip_verification;
  return gate;
}

Result<Fd> listener_of(const ProxyFlags& flags) {
  Fd listener = TRY(launch::listen_on(flags.listen));
  if (flags.remote_clients || launch::on_loopback(listener)) return listener;
  return Error{Code::kDenied,
               formatted("{} can be reached from other machines, which would speak plain HTTP to "
                         "it; listen on 127.0.0.1, or say --insecure-remote-clients",
                         flags.listen)};
}

void announce(const ProxyFlags& flags, bool development, const std::string& address,
              Streams streams) {
  if (development && !flags.insecure_skip_verification)
    warn_of_development(flags.policy.allow_software_root ? "--allow-software-root" : kInPolicy,
                        streams);
  if (flags.insecure_skip_verification)
    streams.err << "casemate: WARNING: --insecure-skip-verification: whoever answers at "
                << flags.url << " gets every request, and nobody knows who that is\n";
  if (flags.remote_clients)
    streams.err << "casemate: WARNING: --insecure-remote-clients: other machines may send plain "
                   "requests here, which anybody on the way can read\n";
  streams.out << "proxy on http://" << address << " for " << flags.url
              << (flags.insecure_skip_verification ? ", UNVERIFIED" : "")
              << "\nREST and gRPC on the same port; stop with Ctrl-C\n"
              << std::flush;
}

Status run_proxy(const ProxyFlags& flags, Streams streams) {
  auto gate = TRY(gate_of(flags, streams));
  Fd listener = TRY(listener_of(flags));
  announce(flags, gate.policy.allow_software_root, TRY(launch::address_of(listener)), streams);
  const auto tell = [streams](const std::expected<verify::Verdict, proxy::Refusal>& looked) {
    if (looked) {
      streams.out << verify::line_of(*looked) << "\n" << std::flush;
    } else {
      streams.err << printable(proxy::line_of(looked.error()), 1000) << "\n" << std::flush;
    }
  };
  const proxy::ProxyLimits limits{.connections = flags.connections};
  const auto proxy = TRY(proxy::Proxy::make(std::move(listener), std::move(gate), tell, limits));
  const StopSignals signals(*proxy);
  return proxy->run();
}

}  // namespace

Run add_proxy(CLI::App& app) {
  const auto flags = std::make_shared<ProxyFlags>();
  app.add_option("URL", flags->url, "the server, https://HOST:PORT")->type_name("")->required();
  app.add_option("--listen", flags->listen, "where clients find it, REST and gRPC alike")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  flags->policy.declare(app);
  app.add_option("--model", flags->models,
                 "attest this model's enclaves, and not those of every model; repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--record", flags->record,
                 "append every verdict to this file, a line of JSON each; without its line no "
                 "verdict lets anybody through")
      ->type_name("FILE");
  app.add_option("--timeout", flags->timeout_s, "seconds for each step of connecting")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 3600.0).description(""))
      ->capture_default_str();
  app.add_option("--connections", flags->connections, "how many clients' at a time")
      ->type_name("COUNT")
      ->check(CLI::Range(1u, 100'000u).description(""))
      ->capture_default_str();
  app.add_flag("--insecure-remote-clients", flags->remote_clients,
               "listen where other machines reach it, without TLS (insecure)");
  app.add_flag("--insecure-skip-verification", flags->insecure_skip_verification,
               "forward to whoever answers, for development alone (insecure)");
  return [flags](Streams streams) {
    if (flags->insecure_skip_verification && !flags->record.empty()) {
      streams.err << "casemate proxy: --record keeps verdicts, and with "
                     "--insecure-skip-verification there are none; leave one of them out\n";
      return kUsage;
    }
    const Status done = run_proxy(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
