// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/keeper.h"

#include "base/format.h"
#include "base/log.h"
#include "outside/keys/wrap.h"

namespace casemate::keys {
namespace {

Error denied(std::string text) { return {Code::kDenied, std::move(text)}; }

bool pins(const verify::Policy& policy, const std::string& model,
          verify::Accepted verify::EnclavePolicy::* field) {
  const auto found = policy.models.find(model);
  return found != policy.models.end() && !(found->second.*field).empty();
}

bool allows_debug(const verify::Policy& policy) {
  return policy.insecure_allow_debug || policy.snp.insecure_allow_debug ||
         policy.cca.insecure_allow_debug || policy.eat.insecure_allow_debug ||
         policy.intel.insecure_allow_debug;
}

// What a verdict leaves to be said about the package itself.
Status check_package(const Record& record, const EnclaveToken& token) {
  if (token.model_version != record.version) {
    return denied(formatted("key.version: the enclave serves version {}, and the package is {}",
                            token.model_version, record.version));
  }
  if (token.model_measurement != record.measurement) {
    return denied(
        formatted("key.package: the enclave has measured another model ({}) than the one "
                  "that was sealed ({})",
                  to_hex(token.model_measurement), to_hex(record.measurement)));
  }
  return {};
}

Error rolled_back(const Record& record, uint32_t lowest) {
  return denied(
      formatted("key.rollback: version {} is not opened any more, {} is the lowest; "
                "serve a newer package",
                record.version, lowest));
}

// Of a key that goes out: to whom. Requires: the verdict passed.
std::string release_line(const Record& record, const verify::Verdict& verdict) {
  const EnclaveToken& token = verdict.tokens.front();
  return formatted("package {} root {} {} platform {} program {} device {} evidence {}",
                   to_hex(record.package), printable(verdict.root, 32),
                   to_hex(verdict.root_key_hash), to_hex(verdict.platform),
                   to_hex(token.program_measurement), to_hex(token.device_measurement),
                   to_hex(verdict.evidence_hash));
}

}  // namespace

Status check_pins(const verify::Policy& policy, const std::string& model) {
  if (policy.insecure_allow_any_start || allows_debug(policy)) {
    return denied(
        "key.pins: the policy allows any start or debug platforms, where the operator reads the "
        "key; remove insecure_allow_any_start and insecure_allow_debug");
  }
  const std::pair<bool, std::string_view> wanted[] = {
      {!policy.platform.empty(), "\"platform\", the monitors"},
      {pins(policy, model, &verify::EnclavePolicy::program), "\"program\" of this model"},
      {pins(policy, model, &verify::EnclavePolicy::device),
       "\"device\" of this model, its runtime and device"}};
  for (const auto& [named, what] : wanted) {
    if (!named)
      return denied(
          formatted("key.pins: the policy does not name {} that it accepts, and would give the key "
                    "to any; casemate attest --learn shows what a server of the same release has",
                    what));
  }
  return {};
}

Status may_release(const verify::Verdict& verdict, const verify::Policy& policy,
                   const Record& record) {
  if (!verdict.passed) return denied(verify::line_of(verdict));
  if (verdict.tokens.size() != 1) return denied("key.evidence: it speaks of several enclaves");
  // A development root proves nothing, whatever else is pinned.
  if (!verdict.development_root) TRY(check_pins(policy, record.name));
  if (verdict.tokens.front().peer_count != 0 &&
      !pins(policy, record.name, &verify::EnclavePolicy::peers)) {
    return denied(
        "key.peers: the enclave calls others, to which its weights may go, and the "
        "policy does not name \"peers\" of this model");
  }
  if (verdict.tokens.front().peer_count != 0 && policy.drivers.required) {
    return denied(
        "key.drivers: the policy requires evidence of accelerators, and none of those that this "
        "enclave calls is shown here; pin \"peers\" of this model and remove \"required\"");
  }
  return check_package(record, verdict.tokens.front());
}

Keeper::Keeper(Store& store, Clock& clock, Random& random,
               std::shared_ptr<const verify::Collateral> collateral)
    : store_(store), clock_(clock), collateral_(std::move(collateral)), nonces_(clock, random) {
  store_.wait_at_most(kPatience);
}

// The record of the package, when it is one that is still opened.
Result<Record> Keeper::find(const sealed::KeyRequest& request, AuditLine& line) {
  auto found = store_.find(request.package);
  if (!found && found.error().code == Code::kNotFound)
    return denied("key.package: the key store has no key of this package");
  Record record = TRY(std::move(found));
  // Never what the request says, which could be anything.
  line.name = record.name;
  line.version = record.version;
  if (request.version != record.version || request.name.view() != record.name)
    return denied("key.package: the request names another model or version than was sealed");
  const uint32_t lowest = TRY(store_.floor(record.name));
  if (record.version >= lowest) return record;
  return rolled_back(record, lowest);
}

Result<sealed::WrappedKey> Keeper::decide(const sealed::KeyRequest& request, Bytes evidence,
                                          AuditLine& line) {
  const Record record = TRY(find(request, line));
  auto policy = verify::parse_policy(record.policy, formatted("of model '{}'", record.name));
  if (!policy) return denied("key.policy: " + policy.error().text);
  policy->collateral = collateral_;
  const Bytes asked_with = Bytes(request.public_key).first(request.public_key_bytes);
  const verify::Expectation expected{.tls_key = asked_with,
                                     .nonce = proof_nonce(request.nonce, sha256(asked_with)),
                                     .model = record.name,
                                     .model_alone = true,
                                     .now_unix = clock_.unix_seconds()};
  const verify::Verdict verdict = verify::verify_evidence(evidence, expected, *policy);
  TRY(may_release(verdict, *policy, record));
  SecretKey key = TRY(store_.key_of(record));
  auto wrapped = wrap(key, request);
  clear_secret(key);
  if (!wrapped) return denied("key.request: " + wrapped.error().text);
  // Before the key is anywhere else; where the log fails next, its owner asks with another.
  TRY(nonces_.spend(request.nonce));
  AuditLine release = line;
  release.released = true;
  release.line = release_line(record, verdict);
  // Without its line in the log no key goes out.
  const Status written = store_.write_release(record, release, sha256(evidence));
  if (written) return wrapped;
  if (written.error().code != Code::kDenied) return written.error();
  return rolled_back(record, TRY(store_.floor(record.name)));
}

Result<sealed::WrappedKey> Keeper::release(Bytes body) {
  if (body.size() < sizeof(sealed::KeyRequest))
    return Error{Code::kInvalid, "the key request is too short"};
  const auto request = load<sealed::KeyRequest>(body);
  TRY(check_form(request));
  if (const Status good = nonces_.check(request.nonce); !good) {
    if (strangers_.take())
      log("a request without a good nonce is refused, {} before it", strangers_.left_out());
    return good.error();
  }
  const Bytes evidence = body.subspan(sizeof request);
  AuditLine line;
  line.name = "?";
  auto wrapped = decide(request, evidence, line);
  if (wrapped) return wrapped;
  if (wrapped.error().code != Code::kDenied) return cannot_answer(wrapped.error());
  line.line = printable(wrapped.error().text);
  const Status written = write_refusal(line, evidence);
  return written ? wrapped.error() : cannot_answer(written.error());
}

Status Keeper::write_refusal(const AuditLine& line, Bytes evidence) {
  if (!refusals_.take()) return {};
  if (const uint64_t more = refusals_.left_out(); more != 0)
    log("{} refusals are not in the audit log: they came too fast", more);
  return store_.write_audit(line, sha256(evidence));
}

// SQLite's words and paths are the owner's.
Error Keeper::cannot_answer(const Error& why) {
  if (faults_.take()) {
    log("no key goes out: {} ({} times more before)", printable(why.text, 300), faults_.left_out());
  }
  return {Code::kUnavailable, "the key service cannot answer now; its owner's log says why"};
}

}  // namespace casemate::keys
