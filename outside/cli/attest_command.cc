// SPDX-License-Identifier: Apache-2.0
// casemate attest: asks a server for evidence and says what it is worth.
#include <memory>

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/cli/server_flags.h"
#include "outside/client/attest.h"
#include "outside/client/file.h"
#include "outside/verify/pins.h"

namespace casemate::cli {
namespace {

struct AttestFlags {
  ServerFlags server;
  PolicyFlags policy;
  std::string model;
  std::string save_path;
  bool json = false;
};

Status save_policy(const AttestFlags& flags, const verify::Verdict& verdict, Streams streams) {
  const std::string text = verify::policy_text(verify::pinned_policy(verdict));
  TRY(client::write_file(flags.save_path, bytes_of(std::string_view(text))));
  if (flags.json) return {};
  streams.out << formatted(
      "policy written to {}: it accepts this platform and gateway alone, {}\n", flags.save_path,
      flags.model.empty() ? "and any model on it: --model NAME pins one" : "and this model");
  return {};
}

Status attest(const AttestFlags& flags, Streams streams) {
  const verify::Policy policy = TRY(flags.policy.policy());
  const verify::Verdict verdict =
      TRY(client::attest(flags.server.url, policy, flags.server.options(), flags.model));
  streams.out << (flags.json ? verify::json_of(verdict) : verify::text_of(verdict));
  if (!verdict.passed) return Error{Code::kDenied, verify::line_of(verdict)};
  if (!flags.save_path.empty()) return save_policy(flags, verdict, streams);
  return {};
}

}  // namespace

Run add_attest(CLI::App& app) {
  const auto flags = std::make_shared<AttestFlags>();
  flags->server.declare(app);
  flags->policy.declare(app);
  app.add_option("--model", flags->model, "attest this model's enclaves too")->type_name("NAME");
  app.add_option("--save-policy", flags->save_path,
                 "write a policy that pins what was seen, if the verdict passed")
      ->type_name("FILE");
  app.add_flag("--json", flags->json, "print the verdict as JSON");
  return [flags](Streams streams) {
    const auto done = attest(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
