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
  std::string learn_path;
  bool json = false;
};

// What a policy is worth that was made of a verdict: in words, for its reader.
std::string worth_of(const AttestFlags& flags, const verify::Verdict& verdict) {
  std::string text = formatted(
      "policy written to {}, to be reviewed: it accepts this platform and gateway alone, {}\n",
      flags.learn_path,
      flags.model.empty() ? "and any model on it: --model NAME pins one" : "and this model");
  if (const verify::Check* failure = verdict.first_failure(); failure != nullptr) {
    text += formatted(
        "NOT VERIFIED ({}): the policy holds fast what is there, weakens nothing, and is to be "
        "believed as far as you know the values from elsewhere\n",
        failure->code);
  }
  return text;
}

Status learn(const AttestFlags& flags, const verify::Verdict& verdict, Streams streams) {
  if (!verify::holds(verdict)) {
    return Error{Code::kDenied, formatted("{}; nothing was learned, since what is there is not "
                                          "proved",
                                          verify::line_of(verdict))};
  }
  const std::string text = verify::policy_text(verify::pinned_policy(verdict));
  TRY(client::write_file(flags.learn_path, bytes_of(std::string_view(text))));
  if (!flags.json) streams.out << worth_of(flags, verdict);
  return {};
}

Status attest(const AttestFlags& flags, Streams streams) {
  const verify::Policy policy = TRY(flags.policy.policy());
  const bool learns = !flags.learn_path.empty();
  const verify::Verdict verdict =
      TRY(client::attest(flags.server.url, policy, flags.server.options(), flags.model, learns));
  streams.out << (flags.json ? verify::json_of(verdict) : verify::text_of(verdict));
  if (learns) TRY(learn(flags, verdict, streams));
  if (!verdict.passed) return Error{Code::kDenied, verify::line_of(verdict)};
  return {};
}

}  // namespace

Run add_attest(CLI::App& app) {
  const auto flags = std::make_shared<AttestFlags>();
  flags->server.declare(app);
  flags->policy.declare(app);
  app.add_option("--model", flags->model, "attest this model's enclaves too")->type_name("NAME");
  app.add_option(
         "--learn,--save-policy", flags->learn_path,
         "write a policy that pins what is there, to be reviewed; also where the verdict is "
         "refused for want of a root or pins, and then it says so")
      ->type_name("FILE");
  app.add_flag("--json", flags->json, "print the verdict as JSON");
  return [flags](Streams streams) {
    const auto done = attest(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
