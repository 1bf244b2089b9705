// SPDX-License-Identifier: Apache-2.0
#include "outside/client/attest.h"

#include <algorithm>

#include "base/format.h"
#include "outside/verify/pins.h"
#include "outside/verify/verify.h"

namespace casemate::client {

KeyExchange exchange_of(const verify::Policy& policy) {
  return policy.insecure_allow_classical_key_exchange ? KeyExchange::kHybridOrClassical
                                                      : KeyExchange::kHybrid;
}

Result<Server> open_server(std::string_view url, const verify::Policy& policy, Options options) {
  options.exchange = exchange_of(policy);
  return Server::open(TRY(parse_url(url)), options);
}

Result<verify::Verdict> judge_certificate(const Server& server, const verify::Policy& policy) {
  if (server.certificate().evidence.empty()) {
    return Error{Code::kDenied,
                 formatted("the server's certificate carries no evidence (extension {}), so "
                           "nothing is known about it; is it a Casemate server, reached without "
                           "a TLS proxy in between?",
                           kEvidenceOid)};
  }
  const verify::Expectation expected{.tls_key = server.certificate().key,
                                     .now_unix = server.options().clock->unix_seconds()};
  return verify::verify_evidence(server.certificate().evidence, expected, policy,
                                 server.signatures());
}

Result<verify::Verdict> judge_reused(Server& server, const verify::Policy& policy,
                                     const std::string& model) {
  Request request;
  request.target = formatted("/v2/casemate/evidence?model={}", percent_encoded(model));
  request.answer_bytes_max = kProofBytes;
  const Response response = TRY(server.ask(request));
  const verify::Expectation expected{.tls_key = server.certificate().key,
                                     .model = model,
                                     .now_unix = server.options().clock->unix_seconds()};
  return verify::verify_evidence(response.body, expected, policy, server.signatures());
}

bool same_enclaves(const verify::Verdict& one, const verify::Verdict& other) {
  return std::ranges::equal(one.tokens, other.tokens, [](EnclaveToken a, EnclaveToken b) {
    for (EnclaveToken* token : {&a, &b}) {
      token->nonce = {};
      token->issued_unix = 0;
      token->signature = {};
    }
    return std::ranges::equal(bytes_of(a), bytes_of(b));
  });
}

Result<verify::Verdict> judge_fresh(Server& server, const verify::Policy& policy,
                                    const std::string& model, uint32_t gateway_epoch_min,
                                    std::optional<uint32_t> version) {
  Nonce nonce;
  server.options().random->fill(nonce);
  Request request;
  request.target = formatted("/v2/casemate/evidence?nonce={}", to_hex(nonce));
  if (!model.empty()) request.target += "&model=" + percent_encoded(model);
  if (version) request.target += formatted("&version={}", *version);
  request.answer_bytes_max = kProofBytes;
  const Response response = TRY(server.ask(request));
  const verify::Expectation expected{.tls_key = server.certificate().key,
                                     .nonce = proof_nonce(nonce, response.session),
                                     .model = model,
                                     .model_version = version,
                                     .gateway_epoch_min = gateway_epoch_min,
                                     .now_unix = server.options().clock->unix_seconds()};
  return verify::verify_evidence(response.body, expected, policy, server.signatures());
}

Result<verify::Verdict> attest(std::string_view url, const verify::Policy& policy,
                               const Options& options, const std::string& model, bool curious) {
  Server server = TRY(open_server(url, policy, options));
  verify::Verdict cached = TRY(judge_certificate(server, policy));
  if (!cached.passed && !(curious && verify::holds(cached))) return cached;
  return judge_fresh(server, policy, model, cached.tokens.front().epoch);
}

}  // namespace casemate::client
