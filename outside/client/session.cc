// SPDX-License-Identifier: Apache-2.0
#include "outside/client/session.h"

#include "outside/client/attest.h"

namespace casemate::client {
namespace {

Status require_passed(const verify::Verdict& verdict) {
  if (verdict.passed) return {};
  return Error{Code::kDenied, verify::line_of(verdict)};
}

std::string model_target(const std::string& model) {
  return "/v2/models/" + percent_encoded(model);
}

}  // namespace

Result<Session> Session::connect(std::string_view url, verify::Policy policy, Options options) {
  Server server = TRY(open_server(url, policy, options));
  const verify::Verdict cached = TRY(judge_certificate(server, policy));
  TRY(require_passed(cached));
  verify::Cache* cache = options.cache;
  if (cache != nullptr && cache->proved(cached.evidence_hash, cached.time_used_unix))
    return Session(std::move(server), std::move(policy), cached);
  verify::Verdict fresh = TRY(judge_fresh(server, policy, "", cached.tokens.front().epoch));
  TRY(require_passed(fresh));
  if (cache != nullptr && same_enclaves(cached, fresh))
    cache->remember_proof(cached.evidence_hash, fresh.time_used_unix);
  return Session(std::move(server), std::move(policy), std::move(fresh));
}

Result<verify::Verdict> Session::verdict(const std::string& model) {
  if (const auto known = model_verdicts_.find(model); known != model_verdicts_.end())
    return known->second;
  if (model.empty()) return Error{Code::kInvalid, "the name of the model is empty"};
  verify::Verdict verdict = TRY(prove(model));
  return model_verdicts_.emplace(model, std::move(verdict)).first->second;
}

// Evidence that this client has seen proved needs no second proof.
Result<verify::Verdict> Session::prove(const std::string& model) {
  verify::Cache* cache = server_.options().cache;
  std::optional<verify::Verdict> reused;
  if (cache != nullptr) {
    reused = TRY(judge_reused(server_, policy_, model));
    TRY(require_passed(*reused));
    if (cache->proved(reused->evidence_hash, reused->time_used_unix)) return *std::move(reused);
  }
  verify::Verdict fresh = TRY(judge_fresh(server_, policy_, model, verdict_.tokens.front().epoch));
  TRY(require_passed(fresh));
  if (reused && same_enclaves(*reused, fresh))
    cache->remember_proof(reused->evidence_hash, fresh.time_used_unix);
  return fresh;
}

Result<std::vector<ModelEntry>> Session::models() {
  Request request;
  request.method = "POST";
  request.target = "/v2/repository/index";
  request.reads_only = true;
  const Response response = TRY(server_.ask(request));
  return read_index(response.body);
}

Result<ModelMetadata> Session::metadata(const std::string& model) {
  Request request;
  request.target = model_target(model);
  const Response response = TRY(server_.ask(request));
  return read_metadata(response.body);
}

Result<std::string> Session::metrics() {
  Request request;
  request.target = "/metrics";
  const Response response = TRY(server_.ask(request));
  return std::string(text_of(response.body));
}

Result<std::vector<Tensor>> Session::infer(const std::string& model,
                                           std::span<const Tensor> inputs) {
  for (const Tensor& input : inputs)
    TRY(check_tensor(input.name, input.type, input.shape, input.data));
  TRY(verdict(model));
  const std::string json = inference_json(inputs);
  Request request;
  request.method = "POST";
  request.target = model_target(model) + "/infer";
  request.json_size = json.size();
  request.body.push_back(bytes_of(std::string_view(json)));
  for (const Tensor& input : inputs) request.body.push_back(input.data);
  request.answer_bytes_max = server_.options().answer_bytes_max;
  const Response response = TRY(server_.ask(request));
  return read_inference(response.json_size, response.body);
}

}  // namespace casemate::client
