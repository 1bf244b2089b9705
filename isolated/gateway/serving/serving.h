// SPDX-License-Identifier: Apache-2.0
#pragma once
// Serving: the KServe v2 application, REST and gRPC, between the HTTP server and the models.
//
//   Loop loop; Serving serving(loop, attestor, options); Server server(loop, ..., serving, ...);
//   serving.open(server);
//   Model* model = serving.models().add("digits", 1);   model->attach(channel, description);
//
//   Owns     the model table.
//   Threads  one, the loop's.
//   Trust    targets and bodies are a client's; outputs are a model's, which may lie. Nothing of
//            either is logged.
//   Fails    every failure is an HTTP status and {"error": text}; codes map as status_of() says. A
//            call of gRPC gets the status that the server makes of that.

#include <string>

#include "isolated/gateway/grpc/infer_message.h"
#include "isolated/gateway/grpc/messages.h"
#include "isolated/gateway/http/server.h"
#include "isolated/gateway/protocol/inference_response.h"
#include "isolated/gateway/serving/attestor.h"
#include "isolated/gateway/serving/backlog.h"
#include "isolated/gateway/serving/evidence_queue.h"
#include "isolated/gateway/serving/model_table.h"
#include "isolated/gateway/serving/route.h"

namespace casemate::gateway {

struct ServingOptions {
  std::string server_version = "0.1.0";
  // Bytes of JSON in a request or an answer; see HttpLimits::json_bytes.
  size_t json_bytes = HttpLimits{}.json_bytes;
  // What a request may wait for its answer when it names no timeout, and at most when it does.
  Duration timeout = Model::kTimeout;
  // Evidence is signed by the monitor, one at a time: at 1 ms each, the last of 64 waits 64 ms.
  uint32_t evidence_pending = 64;
  // Those that are there and those that wait behind them, as a multiple: a monitor that grants 50 a
  // second has come to the last of 512 after evidence_patience.
  static constexpr uint32_t kEvidenceKnown = 8;
  Duration evidence_patience = std::chrono::seconds(10);
};

class Serving final : public Service, private Answering {
 public:
  Serving(Loop& loop, Attestor& attestor, ServingOptions options = {});

  // Answers go to `server`. Requires: called once, before the loop runs; `server` lives as long.
  void open(Server& server) { server_ = &server; }
  [[nodiscard]] ModelTable& models() { return models_; }
  // Every model that was added has been available or was given up: the answer of /v2/health/ready.
  // A model that fails later makes only itself unready.
  [[nodiscard]] bool ready() const;

  std::optional<Refusal> admit(Method method, std::string_view target, bool announced) override;
  void serve(CallId call, Request request) override;
  void cancelled(CallId call) override;

 private:
  Answered answered(Model& model, Inference& inference, const Result<Outcome>& outcome) override;
  void finished(Model& model, const Inference& inference, Instant ended);
  void begin(CallId call, Request request);
  void begin_late(CallId call, Request request);
  void infer(CallId call, Model& model, Request request);
  void submit(CallId call, Model& model, Request request, Result<InferenceRequest> parsed);
  Result<bool> write(const Model& model, Inference& inference, const Outcome& outcome,
                     Response& response);
  Result<bool> write_text(const Model& model, Inference& inference, const Outcome& outcome);
  void serve_model(CallId call, const Route& route, Request request);
  void serve_index(CallId call, const Request& request);
  void serve_evidence(CallId call, const Route& route);
  Result<const Model*> vouched_model(const Route& route) const;
  // gRPC (serving_grpc.cc).
  static std::optional<Refusal> admit_grpc(Method method, std::string_view target);
  void serve_grpc(CallId call, Request request);
  Result<std::string> grpc_answer(GrpcMethod method, Bytes message);
  Result<std::string> grpc_model_answer(GrpcMethod method, Bytes message);
  void infer_grpc(CallId call, Request request, Bytes message);
  [[nodiscard]] std::vector<IndexEntry> index(bool only_ready) const;
  [[nodiscard]] std::vector<StatisticsEntry> statistics_of(std::string_view name,
                                                           const Model* model) const;
  void send(CallId call, std::string_view body, std::string_view type = "application/json");
  void send(CallId call, const Error& error);

  Loop& loop_;
  const ServingOptions options_;
  Drafts drafts_;  // models hold some of them, and so go away before
  ModelTable models_;
  Server* server_ = nullptr;
  Backlog backlog_;
  EvidenceQueue evidence_;
  ResponseWriter writer_;  // reused, so that its memory is
  std::vector<Bytes> pieces_;
  GrpcAnswer grpc_answer_;  // the same
};

// The HTTP status that stands for a code (Open Inference Protocol v2, as Triton maps it).
uint16_t status_of(Code code);

}  // namespace casemate::gateway
