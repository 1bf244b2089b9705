// SPDX-License-Identifier: Apache-2.0
#pragma once
// Session: a verified connection to a server, and what it can be asked.
//
//   const auto session = Session::connect("https://host:8443", policy);
//   const auto outputs = session->infer("digits", inputs);
//
// connect() sends nothing of the user's before the server's evidence has passed the policy. The
// first infer() on a model has that model's enclaves attested too, with a nonce of its own. Who
// connects again and again gives a cache (Options): then evidence that it has seen proved costs a
// few hashes, until the server renews it. No
// certificate authority has a say: trust comes from the evidence alone, and every later connection
// must prove the key that it names.
//
//   Owns     the connection.
//   Threads  one at a time; sessions are independent of each other.
//   Trust    the server may be anybody until connect() has returned.
//   Fails    kDenied with the verdict's reason and what to do; the server's refusals with its
//            sentence; kTimedOut, kUnavailable, kPartitionFailed for what can break.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outside/client/protocol.h"
#include "outside/client/server.h"
#include "outside/client/tensor.h"
#include "outside/verdict/verdict.h"
#include "outside/verify/policy.h"

namespace casemate::client {

class Session final {
 public:
  static Result<Session> connect(std::string_view url, verify::Policy policy, Options options = {});

  // Why this server is trusted: the verdict on a proof of its gateway, or, with a cache that knows
  // one, on the evidence that was proved.
  [[nodiscard]] const verify::Verdict& verdict() const { return verdict_; }
  // The same with the model's enclaves; obtained once per session.
  Result<verify::Verdict> verdict(const std::string& model);

  Result<std::vector<ModelEntry>> models();
  Result<ModelMetadata> metadata(const std::string& model);
  // The server's counters, as Prometheus reads them.
  Result<std::string> metrics();
  // All outputs of the model, in its order.
  Result<std::vector<Tensor>> infer(const std::string& model, std::span<const Tensor> inputs);

 private:
  Session(Server server, verify::Policy policy, verify::Verdict verdict)
      : server_(std::move(server)), policy_(std::move(policy)), verdict_(std::move(verdict)) {}

  Result<verify::Verdict> prove(const std::string& model);

  Server server_;
  verify::Policy policy_;
  verify::Verdict verdict_;
  std::map<std::string, verify::Verdict> model_verdicts_;  // passed ones only
};

}  // namespace casemate::client
