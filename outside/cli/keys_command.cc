// SPDX-License-Identifier: Apache-2.0
// casemate keys: the owner's key store, and the service that releases keys from it.
#include <chrono>
#include <csignal>
#include <memory>

#include "base/format.h"
#include "base/lockdown/lockdown.h"
#include "base/log.h"
#include "outside/cli/commands.h"
#include "outside/client/file.h"
#include "outside/keys/service.h"
#include "outside/launch/listen.h"
#include "outside/seal/advice.h"
#include "outside/seal/seal.h"

namespace casemate::cli {
namespace {

struct KeysFlags {
  std::string store;
  std::string listen = "127.0.0.1:8500";
  std::string model;
  uint32_t version = 0;
  std::string policy;
  std::string package;
  std::string collateral;
  uint32_t count = 20;
};

std::string time_text(int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  return formatted("{:%FT%TZ}", time);
}

std::string hash_of(Bytes key) { return to_hex(sha384(key)); }

Status list_keys(keys::Store& store, Streams streams) {
  streams.out << formatted("packages are signed by {}\n", hash_of(store.maker().public_der()));
  for (const keys::Record& record : TRY(store.list())) {
    const bool open = record.version >= TRY(store.floor(record.name));
    streams.out << formatted("{}/{}  {}  package {}  measurement {}{}{}\n",
                             printable(record.name, 64), record.version,
                             time_text(record.added_unix), to_hex(record.package),
                             to_hex(record.measurement), open ? "" : "  not opened any more",
                             store.find(record.package) ? "" : "  DAMAGED OR CHANGED");
  }
  return {};
}

Status print_audit(keys::Store& store, uint32_t count, Streams streams) {
  const auto lines = TRY(store.audit(count));
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    streams.out << formatted("{} {} {} {}/{}: {}\n", line->number, time_text(line->at_unix),
                             line->released ? "released" : "refused", printable(line->name, 64),
                             line->version, printable(line->line));
  }
  return store.check_audit();
}

Status set_policy(keys::Store& store, const KeysFlags& flags, Streams streams) {
  const auto text = TRY(client::read_file(flags.policy, sealed::kPolicyMax));
  const auto policy = TRY(verify::parse_policy(text_of(text), flags.policy));
  TRY(seal::check_policy(policy, flags.model, flags.policy));
  for (const std::string& warning : seal::warnings_of(policy, flags.model))
    streams.err << formatted("casemate: warning: {}\n", warning);
  return store.set_policy(flags.model, flags.version, std::string(text_of(text)));
}

Status raise_floor(keys::Store& store, const KeysFlags& flags, Streams streams) {
  const auto closed = TRY(store.close_below(flags.model, flags.version));
  for (const keys::Record& record : closed) {
    streams.out << formatted("{}/{}  package {}  not opened any more\n", record.name,
                             record.version, to_hex(record.package));
  }
  if (closed.empty()) {
    streams.out << formatted("nothing that was opened lies below version {} of '{}'\n",
                             flags.version, flags.model);
  }
  return {};
}

// Of a text that anybody may have written.
std::string shown(std::string text) {
  for (char& c : text) {
    if ((c < ' ' && c != '\n') || c > '~') c = '?';
  }
  return text;
}

// What anybody can read in a package: who made it, and for whom. It is whole and signed, or this
// fails.
Status show_package(const std::string& path, Streams streams) {
  const auto package = TRY(seal::read_package(path));
  const sealed::Header& header = package.header;
  streams.out << formatted(
      "model             {} version {}\nsealed            {}\npackage           {}\n"
      "made by           {}, who has signed it\n"
      "holds             an ONNX file of {} bytes: {} tensors and the graph\npolicy\n{}\n",
      printable(header.name.view(), 64), header.version, time_text(header.sealed_unix),
      to_hex(header.package), hash_of(package.maker()), header.plain_bytes, header.parts - 1,
      shown(package.policy));
  return {};
}

Status serve_keys(keys::Store& store, const KeysFlags& flags, Streams streams) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Fd listener = TRY(launch::listen_on(flags.listen));
  const std::string address = TRY(launch::address_of(listener));
  std::shared_ptr<const verify::Collateral> collateral;
  if (!flags.collateral.empty()) {
    collateral = std::make_shared<const verify::Collateral>(
        TRY(verify::Collateral::read_folder(flags.collateral)));
  }
  keys::Keeper keeper(store, system_clock(), system_random(), std::move(collateral));
  const keys::Service service(std::move(listener), keeper, system_clock());
  streams.out << formatted("keys on http://{}\n", address) << std::flush;
  siginfo_t signal{};
  while (::sigwaitinfo(&signals, &signal) < 0) {
  }
  return {};
}

using Action = std::function<Status(keys::Store&, const KeysFlags&, Streams)>;

CLI::App* add_action(CLI::App& app, KeysFlags& flags, const char* name, const char* help) {
  CLI::App* action = app.add_subcommand(name, help);
  action->add_option("--store", flags.store, "the key store that casemate seal was given")
      ->type_name("FILE")
      ->required();
  return action;
}

void add_version(CLI::App* action, KeysFlags& flags) {
  action->add_option("MODEL", flags.model, "the model's name")->type_name("")->required();
  action->add_option("--version", flags.version)->type_name("N")->required();
}

// Of a package, for which no store is needed.
CLI::App* add_show(CLI::App& app, KeysFlags& flags) {
  CLI::App* show = app.add_subcommand("show", "who made a sealed model, and for whom");
  show->add_option("PACKAGE", flags.package, "the sealed model")->type_name("")->required();
  return show;
}

int act(const std::shared_ptr<KeysFlags>& flags, const Action& action, Streams streams) {
  const auto done = [&]() -> Status {
    TRY(lockdown::make_undumpable());
    keys::Store store = TRY(keys::Store::open(flags->store, system_clock(), system_random()));
    return action(store, *flags, streams);
  }();
  return done ? kDone : fail(done.error(), streams);
}

}  // namespace

Run add_keys(CLI::App& app) {
  const auto flags = std::make_shared<KeysFlags>();
  const auto actions = std::make_shared<std::vector<std::pair<CLI::App*, Action>>>();
  app.require_subcommand(1);
  CLI::App* serve =
      add_action(app, *flags, "serve", "give keys to enclaves that prove who they are");
  serve->add_option("--listen", flags->listen, "ADDRESS:PORT; port 0 picks one")
      ->capture_default_str();
  serve
      ->add_option("--collateral", flags->collateral,
                   "folder with vendors' certificates, revocation lists and signed JSON, by which "
                   "a hardware root is judged")
      ->type_name("DIR");
  actions->emplace_back(serve, serve_keys);
  actions->emplace_back(
      add_action(app, *flags, "list", "the packages whose keys are here"),
      [](keys::Store& store, const KeysFlags&, Streams out) { return list_keys(store, out); });
  CLI::App* audit =
      add_action(app, *flags, "audit", "who was given a key, who was refused, and why");
  audit->add_option("--count", flags->count, "the latest so many lines")->capture_default_str();
  actions->emplace_back(audit, [](keys::Store& store, const KeysFlags& given, Streams out) {
    return print_audit(store, given.count, out);
  });
  CLI::App* policy = add_action(app, *flags, "policy", "who may open a version from now on");
  add_version(policy, *flags);
  policy->add_option("--policy", flags->policy, "as for casemate seal")->required();
  actions->emplace_back(policy, [](keys::Store& store, const KeysFlags& given, Streams out) {
    return set_policy(store, given, out);
  });
  CLI::App* floor =
      add_action(app, *flags, "floor", "open no version of a model below this one, ever again");
  add_version(floor, *flags);
  actions->emplace_back(floor, [](keys::Store& store, const KeysFlags& given, Streams out) {
    return raise_floor(store, given, out);
  });
  CLI::App* show = add_show(app, *flags);
  return [flags, actions, show](Streams streams) {
    if (show->parsed()) {
      const Status done = show_package(flags->package, streams);
      return done ? kDone : fail(done.error(), streams);
    }
    for (const auto& [command, action] : *actions) {
      if (command->parsed()) return act(flags, action, streams);
    }
    return kUsage;
  };
}

}  // namespace casemate::cli
