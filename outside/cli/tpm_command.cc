// SPDX-License-Identifier: Apache-2.0
// casemate tpm: has the key of this machine's TPM certified.
#include <memory>

#include "base/format.h"
#include "outside/certify/endorsement.h"
#include "outside/certify/tpm.h"
#include "outside/cli/commands.h"
#include "outside/client/file.h"
#include "outside/launch/private_folder.h"
#include "outside/launch/start.h"

namespace casemate::cli {
namespace {

constexpr size_t kRequestBytes = 64 << 10;

struct TpmFlags {
  std::string device = "/dev/tpmrm0";
  std::string file;
  std::string out;
  std::string makers;
  std::string key;
  std::string certificate;
  int64_t days = 365;
};

Status request(const TpmFlags& flags, Streams streams) {
  auto device = TRY(TpmDevice::open(flags.device));
  const auto asked = TRY(certify::make_request(device));
  TRY(client::write_file(flags.out, asked));
  streams.out << "wrote " << flags.out << ": give it to the owner, who runs casemate tpm certify\n";
  return {};
}

Status certify_request(const TpmFlags& flags, Streams streams) {
  const auto authority = TRY(certify::Authority::open(flags.key, flags.certificate));
  const auto asked = TRY(client::read_file(flags.file, kRequestBytes));
  certify::TpmTerms terms{.makers = TRY(verify::Collateral::read_folder(flags.makers)),
                          .now_unix = system_clock().unix_seconds(),
                          .days = flags.days};
  const auto grant = TRY(certify::certify_tpm(asked, authority, terms, system_random()));
  TRY(client::write_file(flags.out, grant.bytes));
  streams.out << formatted(
      "wrote {}: its TPM, for which {} vouches, can open it with casemate tpm install\n"
      "policies name the key as        {}\n"
      "policies name this authority as {}\n",
      flags.out, grant.maker, to_hex(grant.key_hash),
      to_hex(sha384(authority.certificate().key())));
  return {};
}

Status install(const TpmFlags& flags, Streams streams) {
  const auto grant = TRY(client::read_file(flags.file, kRequestBytes));
  const auto parts = TRY(certify::read_grant(grant));
  auto device = TRY(TpmDevice::open(flags.device));
  const auto secret = TRY(certify::activate_credential(device, parts.credential));
  const auto certificate = TRY(certify::open_grant(parts, secret));
  const std::string folder = TRY(launch::state_folder());
  TRY(launch::make_private_folder(folder, "CASEMATE_STATE"));
  const std::string path = formatted("{}/{}", folder, kTpmCertificateFile);
  TRY(client::write_file(path, certificate));
  streams.out << "wrote " << path << ": casemate serve --root tpm shows it from now on\n";
  return {};
}

Status found_authority(const TpmFlags& flags, Streams streams) {
  TRY(certify::Authority::found(flags.file, flags.key, flags.certificate,
                                system_clock().unix_seconds()));
  streams.out << "wrote " << flags.key << ", which nobody else may see, and " << flags.certificate
              << ", which verifiers need\n";
  return {};
}

}  // namespace

Run add_tpm(CLI::App& app) {
  const auto flags = std::make_shared<TpmFlags>();
  const auto step = std::make_shared<Status (*)(const TpmFlags&, Streams)>();
  const auto add = [&](const char* name, const char* help,
                       Status (*function)(const TpmFlags&, Streams)) {
    CLI::App* command = app.add_subcommand(name, help);
    command->callback([step, function] { *step = function; });
    return command;
  };
  const auto path = [](CLI::App* command, const char* name, std::string& into, const char* help,
                       const char* type = "FILE") {
    command->add_option(name, into, help)->type_name(type)->required();
  };
  const auto device = [&](CLI::App* command) {
    command->add_option("--device", flags->device, "the TPM, or the socket of a software TPM")
        ->type_name("PATH");
  };
  const auto authority = [&](CLI::App* command) {
    path(command, "--key", flags->key, "the authority's private key, PEM");
    path(command, "--cert", flags->certificate, "its certificate, PEM");
  };
  app.require_subcommand(1);
  CLI::App* found = add("authority", "1. the owner: make an authority of his own", found_authority);
  path(found, "NAME", flags->file, "what its certificate calls it", "");
  authority(found);
  CLI::App* ask = add("request", "2. the machine: ask for a certificate", request);
  path(ask, "-o,--out", flags->out, "where to write the request");
  device(ask);
  CLI::App* certify =
      add("certify", "3. the owner: certify the key of a TPM of a known maker", certify_request);
  path(certify, "REQUEST", flags->file, "what the machine has asked", "");
  path(certify, "--makers", flags->makers, "certificates of TPM makers whom you trust", "FOLDER");
  path(certify, "-o,--out", flags->out, "where to write the grant");
  certify->add_option("--days", flags->days, "how long the certificate is valid")
      ->check(CLI::Range(1, 3650));
  authority(certify);
  CLI::App* put =
      add("install", "4. the machine: open the grant, and keep the certificate", install);
  path(put, "GRANT", flags->file, "what the owner has sent", "");
  device(put);
  return [flags, step](Streams streams) {
    const auto done = (*step)(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
