// SPDX-License-Identifier: Apache-2.0
// casemate seal: encrypts a model, for enclaves that its owner's policy accepts to open.
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/lockdown/lockdown.h"
#include "outside/cli/commands.h"
#include "outside/client/file.h"
#include "outside/seal/advice.h"
#include "outside/seal/seal.h"

namespace casemate::cli {
namespace {

struct SealFlags {
  std::string model;
  std::string place;
  std::string store;
  std::string policy;
  uint32_t chunk_kib = 256;
  seal::Order order;
  bool json = false;
};

void print_done(const SealFlags& flags, const seal::Order& order, const seal::Done& done,
                const std::string& maker, Streams streams) {
  if (flags.json) {
    nlohmann::ordered_json json;
    json["model"] = order.name;
    json["version"] = order.version;
    json["package"] = to_hex(done.record.package);
    json["measurement"] = to_hex(done.record.measurement);
    json["maker"] = maker;
    json["tensors"] = done.tensors;
    json["bytes"] = done.bytes;
    streams.out << json.dump() << "\n";
    return;
  }
  streams.out << formatted(
      "sealed {} version {}: {} tensors and the graph, {} bytes, in {}\n"
      "  model measurement {}\n  made by           {}\n",
      order.name, order.version, done.tensors, done.bytes, flags.place,
      to_hex(done.record.measurement), maker);
}

// What the owner should know before a model is sealed.
Status warn(const seal::Order& order, keys::Store& store, Streams streams) {
  TRY(store.check_floor(order.name, order.version));
  const auto policy = TRY(verify::parse_policy(order.policy, order.policy_file));
  for (const std::string& warning : seal::warnings_of(policy, order.name))
    streams.err << formatted("casemate: warning: {}\n", warning);
  for (const keys::Record& record : TRY(store.list())) {
    if (record.name != order.name || record.version != order.version) continue;
    streams.err << formatted(
        "casemate: warning: version {} of '{}' was sealed before, as package {}; both are opened, "
        "so give what is new a version of its own\n",
        record.version, record.name, to_hex(record.package));
  }
  return {};
}

Status seal_file(const SealFlags& flags, Streams streams) {
  TRY(lockdown::make_undumpable());
  seal::Order order = flags.order;
  order.chunk_bytes = flags.chunk_kib << 10;
  if (!flags.policy.empty()) {
    const auto policy = TRY(client::read_file(flags.policy, sealed::kPolicyMax));
    order.policy = text_of(policy);
    order.policy_file = flags.policy;
  }
  // A mistake must not leave a store behind.
  TRY(seal::check(flags.model, flags.place, order, flags.store));
  const bool there = std::filesystem::exists(flags.store);
  keys::Store store = TRY(keys::Store::open(flags.store, system_clock(), system_random(), true));
  if (!there) {
    streams.err << formatted(
        "casemate: made the key store {} and its key {}.key; without either no model that is "
        "sealed with them can be opened: keep backups, apart from each other\n",
        store.path(), store.path());
  }
  TRY(warn(order, store, streams));
  const seal::Done done = TRY(
      seal::seal_model(flags.model, flags.place, order, store, system_clock(), system_random()));
  print_done(flags, order, done, to_hex(sha384(store.maker().public_der())), streams);
  return {};
}

}  // namespace

Run add_seal(CLI::App& app) {
  const auto flags = std::make_shared<SealFlags>();
  app.add_option("MODEL", flags->model, "the ONNX file")->type_name("")->required();
  app.add_option("-o,--output", flags->place,
                 "the sealed model, such as models/NAME/1/model.sealed")
      ->type_name("FILE")
      ->required();
  app.add_option("--model", flags->order.name, "the name under which it is served")
      ->type_name("NAME")
      ->required();
  app.add_option("--version", flags->order.version,
                 "of the model; earlier ones are not opened any more")
      ->type_name("N")
      ->required();
  app.add_option("--store", flags->store,
                 "the owner's key store, made if need be; its own key is put beside it")
      ->type_name("FILE")
      ->required();
  app.add_option("--policy", flags->policy,
                 "who may open it: a policy as for casemate attest (default: the strictest, which "
                 "accepts no development root)")
      ->type_name("FILE");
  app.add_option("--chunk-kib", flags->chunk_kib, "64, 128, 256, 512 or 1024")
      ->type_name("KIB")
      ->capture_default_str();
  app.add_flag("--keep-older", flags->order.keep_older, "earlier versions may still be opened");
  app.add_flag("--json", flags->json, "print what was made as JSON");
  return [flags](Streams streams) {
    const Status done = seal_file(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
