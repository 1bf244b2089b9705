// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/server_flags.h"

#include "outside/client/file.h"

namespace casemate::cli {
namespace {

// A policy with a thousand models, each with ten values of everything, has 5 MiB.
constexpr uint64_t kPolicyBytes = 8 << 20;
constexpr double kDaySeconds = 24 * 3600;

}  // namespace

void PolicyFlags::declare(CLI::App& app) {
  app.add_option("--policy", policy_path,
                 "what to accept: a JSON file, see outside/verify/policy.h")
      ->type_name("FILE");
  app.add_option("--collateral", collateral_path,
                 "folder with vendors' certificates, revocation lists and signed JSON, by which a "
                 "hardware root is judged")
      ->type_name("DIR");
  app.add_flag("--allow-software-root", allow_software_root,
               "accept a development root, which proves nothing (insecure)");
  app.add_flag("--insecure-classical-key-exchange", allow_classical,
               "connect also where the server knows no X25519MLKEM768");
}

Result<verify::Policy> PolicyFlags::policy() const {
  verify::Policy policy;
  if (!policy_path.empty()) {
    const auto text = TRY(client::read_file(policy_path, kPolicyBytes));
    policy = TRY(verify::parse_policy(text_of(text), policy_path));
  }
  if (!collateral_path.empty()) {
    policy.collateral = std::make_shared<const verify::Collateral>(
        TRY(verify::Collateral::read_folder(collateral_path)));
  }
  policy.allow_software_root = policy.allow_software_root || allow_software_root;
  policy.insecure_allow_classical_key_exchange =
      policy.insecure_allow_classical_key_exchange || allow_classical;
  return policy;
}

std::vector<std::string> PolicyFlags::paths() const {
  std::vector<std::string> given = {policy_path, collateral_path};
  std::erase(given, "");
  return given;
}

void ServerFlags::declare(CLI::App& app) {
  app.add_option("URL", url, "the server, https://HOST:PORT")->type_name("")->required();
  app.add_option("--timeout", timeout_s, "seconds for each step, such as connecting or inferring")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, kDaySeconds).description(""))
      ->capture_default_str();
  app.add_option("--retries", retries, "how often to ask a busy server again when it says when")
      ->type_name("COUNT")
      ->check(CLI::Range(0u, 1000u).description(""))
      ->capture_default_str();
}

client::Options ServerFlags::options() const {
  client::Options options;
  options.timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(timeout_s));
  options.retries = retries;
  return options;
}

}  // namespace casemate::cli
