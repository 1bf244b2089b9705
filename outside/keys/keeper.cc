// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/keeper.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "outside/keys/wrap.h"
#include "outside/verify/policy.h"
#include "outside/verify/verify.h"

namespace casemate::keys {
namespace {

Error denied(std::string text) { return {Code::kDenied, std::move(text)}; }

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

}  // namespace

Nonce Keeper::challenge() {
  Out out{.at = clock_.now()};
  random_.fill(out.nonce);
  if (nonces_.size() == kNonces) nonces_.pop_front();
  nonces_.push_back(out);
  return out.nonce;
}

Status Keeper::take(const Nonce& nonce) {
  std::erase_if(nonces_, [&](const Out& out) { return clock_.now() - out.at > kNonceLife; });
  const auto found = std::ranges::find_if(nonces_, [&](const Out& o) { return o.nonce == nonce; });
  if (found == nonces_.end()) {
    return denied(
        "key.nonce: it is not one that this service gave out within the last minute, or "
        "it was used before; ask for another");
  }
  nonces_.erase(found);
  return {};
}

Result<Record> Keeper::judge(const sealed::KeyRequest& request, Bytes evidence) {
  TRY(take(request.nonce));
  const Record record = TRY(store_.find(request.package));
  if (request.version != record.version || request.name.view() != record.name)
    return denied("key.package: the request names another model or version than was sealed");
  const uint32_t lowest = TRY(store_.floor(record.name));
  if (record.version < lowest) {
    return denied(
        formatted("key.rollback: version {} is not opened any more, {} is the lowest; "
                  "serve a newer package",
                  record.version, lowest));
  }
  const verify::Policy policy =
      TRY(verify::parse_policy(record.policy, formatted("of model '{}'", record.name)));
  const verify::Expectation expected{
      .tls_key = Bytes(request.public_key).first(request.public_key_bytes),
      .nonce = request.nonce,
      .model = record.name,
      .model_alone = true,
      .now_unix = clock_.unix_seconds()};
  const verify::Verdict verdict = verify::verify_evidence(evidence, expected, policy);
  if (!verdict.passed) return denied(verify::line_of(verdict));
  if (verdict.tokens.size() != 1) return denied("key.evidence: it speaks of several enclaves");
  TRY(check_package(record, verdict.tokens.front()));
  return record;
}

Result<sealed::WrappedKey> Keeper::release(Bytes body) {
  if (body.size() < sizeof(sealed::KeyRequest))
    return Error{Code::kInvalid, "the key request is too short"};
  const auto request = load<sealed::KeyRequest>(body);
  TRY(check_form(request));
  const Bytes evidence = body.subspan(sizeof request);
  AuditLine line{.name = printable(request.name.view(), 64), .version = request.version};
  const auto record = judge(request, evidence);
  auto wrapped = [&]() -> Result<sealed::WrappedKey> {
    if (!record) return record.error();
    SecretKey key = TRY(store_.key_of(*record));
    auto made = wrap(key, request);
    clear_secret(key);
    return made;
  }();
  line.released = wrapped.has_value();
  line.line = wrapped ? "the key was given to an enclave that the policy accepts"
                      : printable(wrapped.error().text);
  // Without its line in the log no key goes out.
  TRY(store_.write_audit(line, sha256(evidence)));
  return wrapped;
}

}  // namespace casemate::keys
