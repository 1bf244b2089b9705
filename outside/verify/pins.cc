// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/pins.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "outside/verify/codes.h"
#include "outside/verify/line.h"
#include "outside/verify/start.h"

namespace casemate::verify {
namespace {

void pin(Accepted& accepted, const Sha384Digest& seen) {
  if (!std::ranges::contains(accepted, seen)) accepted.push_back(seen);
}

std::string open_fields(const EnclavePolicy& policy, bool model) {
  std::string names;
  const auto add = [&](bool open, std::string_view name) {
    if (open) names += formatted("{}{}", names.empty() ? "" : ", ", name);
  };
  add(model && policy.model.empty(), "model");
  add(policy.program.empty(), "program");
  add(policy.manifest.empty(), "manifest");
  add(policy.device.empty(), "device");
  add(policy.peers.empty(), "peers");
  return names;
}

}  // namespace

std::vector<std::string> weaknesses_of(const Policy& policy) {
  std::vector<std::string> weak;
  const auto add = [&](std::string_view what, bool open, const std::string& means) {
    if (open) weak.push_back(formatted("insecure_{}: {}", what, means));
  };
  const auto unpinned = [&](const std::string& whose, const std::string& fields) {
    add("unpinned", !fields.empty(), formatted("any {} of {} is accepted", fields, whose));
  };
  add("software_root", policy.allow_software_root, "a development root is accepted");
  add("any_root", policy.allow_software_root && policy.software_roots.empty(),
      "any software root is accepted: the policy names none");
  add("debug", policy.insecure_allow_debug, "debug platforms and enclaves are accepted");
  add("any_start", policy.insecure_allow_any_start,
      "genuine hardware is accepted whatever was started on it");
  add("classical_key_exchange", policy.insecure_allow_classical_key_exchange,
      "the channel may do without X25519MLKEM768: what is recorded may be opened in the future");
  add("unpinned", policy.platform.empty(), "any platform is accepted");
  unpinned("the gateway", open_fields(policy.gateway, false));
  add("unpinned", policy.models.empty(), "any model is accepted");
  for (const auto& [name, model] : policy.models)
    unpinned("model " + printable(name, 64), open_fields(model, true));
  return weak;
}

bool holds(const Verdict& verdict) {
  // Behind a broken link nothing runs.
  return !verdict.checks.empty() && std::ranges::none_of(verdict.checks, [](const Check& check) {
    return check.outcome == Outcome::kNotRun;
  });
}

Policy pinned_policy(const Verdict& verdict) {
  CHECK(holds(verdict), "only what was proved is worth pinning");
  Policy policy;
  policy.allow_software_root = std::ranges::any_of(verdict.checks, [](const Check& check) {
    return check.code == code::kRootKind && check.outcome == Outcome::kAllowed;
  });
  if (verdict.development_root) policy.software_roots = {verdict.root_key_hash};
  policy.platform = {verdict.platform};
  if (verdict.quoted) name_start(*verdict.quoted, policy);
  policy.security_version_min = verdict.security_version;
  const auto callers = callers_of(verdict.tokens);
  for (size_t i = 0; i < verdict.tokens.size(); ++i) {
    // Whom a model calls is pinned with the model, by its peers; whom those call is not.
    if (callers && (*callers)[i] != 0 && (*callers)[(*callers)[i]] == 0) continue;
    const EnclaveToken& token = verdict.tokens[i];
    EnclavePolicy& enclave =
        i == 0 ? policy.gateway : policy.models[std::string(token.name.view())];
    if (i > 0) pin(enclave.model, token.model_measurement);
    pin(enclave.program, token.program_measurement);
    pin(enclave.manifest, token.manifest_measurement);
    pin(enclave.device, token.device_measurement);
    pin(enclave.peers, token.peers_measurement);
  }
  for (const DeviceVerdict& device : verdict.devices) name_start(device.platform, policy);
  // Where each showed some, one that shows none is another.
  policy.drivers.required =
      !verdict.devices.empty() && std::ranges::none_of(verdict.checks, [](const Check& check) {
        return check.code == code::kDeviceSaid && check.outcome != Outcome::kPassed;
      });
  return policy;
}

}  // namespace casemate::verify
