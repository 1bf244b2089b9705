// SPDX-License-Identifier: Apache-2.0
// casemate seal: encrypts a model, for enclaves that its owner's policy accepts to open.
#include <memory>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/lockdown/lockdown.h"
#include "outside/cli/commands.h"
#include "outside/client/file.h"
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

Status seal_file(const SealFlags& flags, Streams streams) {
  TRY(lockdown::make_undumpable());
  seal::Order order = flags.order;
  order.chunk_bytes = flags.chunk_kib << 10;
  if (!flags.policy.empty()) {
    const auto policy = TRY(client::read_file(flags.policy, sealed::kPolicyMax));
    order.policy = text_of(policy);
  }
  keys::Store store = TRY(keys::Store::open(flags.store, system_clock(), system_random()));
  const seal::Done done = TRY(
      seal::seal_model(flags.model, flags.place, order, store, system_clock(), system_random()));
  const std::string maker = to_hex(sha384(store.maker().public_der()));
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
    return {};
  }
  streams.out << formatted(
      "sealed {} version {}: {} tensors and the graph, {} bytes, in {}\n"
      "  model measurement {}\n  made by           {}\n",
      order.name, order.version, done.tensors, done.bytes, flags.place,
      to_hex(done.record.measurement), maker);
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
