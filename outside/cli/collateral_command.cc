// SPDX-License-Identifier: Apache-2.0
// casemate collateral: fills the folder by which casemate verify judges a hardware root.
#include <memory>

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/client/file.h"
#include "outside/fetch/fetch.h"
#include "outside/verify/decode.h"
#include "outside/verify/platform_evidence.h"

namespace casemate::cli {
namespace {

constexpr uint64_t kFetchedForBytes = 256 << 10;  // as casemate verify reads

struct CollateralFlags {
  std::string evidence;
  std::string folder;
  std::string product;
  double timeout_s = 30;
  fetch::Services services;
};

Status fetch_collateral(const CollateralFlags& flags, Streams streams) {
  const auto evidence = TRY(client::read_file(flags.evidence, kFetchedForBytes));
  const auto plan = fetch::what_to_fetch(evidence, flags.product);
  if (!plan)
    return Error{plan.error().code, formatted("{}: {}", flags.evidence, plan.error().text)};
  fetch::Services services = flags.services;
  services.patience =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags.timeout_s));
  streams.out << formatted("{}: {}\n", flags.evidence, plan->evidence);
  TRY(fetch::fetch(*plan, services, flags.folder, [&](const fetch::Kept& kept) {
    streams.out << formatted("{}/{}: {} bytes, {}\n", flags.folder, kept.file, kept.content.size(),
                             kept.what)
                << std::flush;
  }));
  // Ours does not say for whom it was made.
  const bool ours = verify::decode_evidence(verify::evidence_in(evidence)).has_value();
  streams.out << formatted("that is all: casemate verify {} --collateral {}{}\n", flags.evidence,
                           flags.folder, ours ? " --key SPKI.der" : "");
  return {};
}

}  // namespace

Run add_collateral(CLI::App& app) {
  const auto flags = std::make_shared<CollateralFlags>();
  app.require_subcommand(1);
  CLI::App* command =
      app.add_subcommand("fetch", "ask Intel or AMD, by the program curl, for what EVIDENCE needs");
  command->add_option("EVIDENCE", flags->evidence, "what casemate verify is given")
      ->type_name("")
      ->required();
  command->add_option("-o,--output", flags->folder, "the folder, which is made if it is missing")
      ->type_name("DIR")
      ->required();
  command
      ->add_option("--product", flags->product,
                   "on which an SEV-SNP report was made that does not say it: Milan, Genoa, Turin")
      ->type_name("NAME");
  command
      ->add_option("--intel", flags->services.intel,
                   "a cache of Intel's service (PCCS) to ask instead: https://HOST[:PORT][/PATH]")
      ->type_name("URL");
  command
      ->add_option("--amd", flags->services.amd,
                   "a mirror of AMD's service to ask instead: https://HOST[:PORT][/PATH]")
      ->type_name("URL");
  command
      ->add_option("--ca", flags->services.ca_file,
                   "the authority that certified their servers, PEM, instead of the system's")
      ->type_name("FILE");
  command->add_option("--timeout", flags->timeout_s, "seconds for one answer; it is asked thrice")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0).description(""))
      ->capture_default_str();
  return [flags](Streams streams) {
    const auto done = fetch_collateral(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
