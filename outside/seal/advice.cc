// SPDX-License-Identifier: Apache-2.0
#include "outside/seal/advice.h"

#include "base/format.h"
#include "outside/keys/keeper.h"
#include "outside/verify/pins.h"

namespace casemate::seal {

Status check_policy(const verify::Policy& policy, const std::string& model,
                    const std::string& file) {
  if (policy.models.empty()) return {};
  const auto found = policy.models.find(model);
  if (found == policy.models.end()) {
    return Error{Code::kInvalid, formatted("{}: \"models\" names others and not '{}', so that no "
                                           "key would ever go out; name it there",
                                           file, model)};
  }
  if (found->second.model.empty() && found->second.manifest.empty()) return {};
  return Error{Code::kInvalid, formatted("the package itself is pinned by the key store; remove "
                                         "\"model\" and \"manifest\" of models.{} from {}",
                                         model, file)};
}

std::vector<std::string> warnings_of(const verify::Policy& policy, const std::string& model) {
  const verify::Accepted pinned = {Sha384Digest{}};
  verify::Policy asked = policy;
  asked.gateway = {pinned, pinned, pinned, pinned, pinned};
  asked.insecure_allow_classical_key_exchange = false;
  const auto found = policy.models.find(model);
  verify::EnclavePolicy own =
      found != policy.models.end() ? found->second : verify::EnclavePolicy();
  // Peers that are not named get no key.
  own.model = own.manifest = own.peers = pinned;
  asked.models = {{model, own}};
  std::vector<std::string> warnings = verify::weaknesses_of(asked);
  if (const Status enough = keys::check_pins(policy, model); !enough)
    warnings.push_back(enough.error().text);
  return warnings;
}

}  // namespace casemate::seal
