// SPDX-License-Identifier: Apache-2.0
// Serving's calls of gRPC: the same questions as REST's, with other words for them.
#include <algorithm>
#include <utility>

#include "isolated/gateway/serving/absent.h"
#include "isolated/gateway/serving/serving.h"

namespace casemate::gateway {
namespace {

// Why a method does nothing here; nullptr for one that does something.
const char* why_missing(GrpcMethod method) {
  switch (method) {
    case GrpcMethod::kLoad:
      return absent::kLoading;
    case GrpcMethod::kSharedMemory:
      return absent::kSharedMemory;
    case GrpcMethod::kTrace:
      return absent::kTraces;
    case GrpcMethod::kLogging:
      return absent::kLogging;
    case GrpcMethod::kStream:
      return absent::kStreams;
    case GrpcMethod::kHealthWatch:
      return absent::kWatching;
    case GrpcMethod::kUnknown:
      return absent::kMethod;
    default:
      return nullptr;
  }
}

}  // namespace

std::optional<Refusal> Serving::admit_grpc(Method method, std::string_view target) {
  if (const char* why = why_missing(grpc_method(target)))
    return Refusal{.status = 501, .text = why};
  if (method != Method::kPost)
    return Refusal{.status = 405, .text = "a call of gRPC is a POST", .allow = "POST"};
  return std::nullopt;
}

void Serving::serve_grpc(CallId call, Request request) {
  if (!request.grpc)
    return server_->answer(
        call, Refusal{.status = 415,
                      .text = "this is a method of gRPC: call it over HTTP/2, with content-type "
                              "application/grpc; REST is below /v2"});
  const auto message = single_message(request.body.bytes());
  if (!message) return send(call, message.error());
  const GrpcMethod method = grpc_method(request.target);
  if (method == GrpcMethod::kModelInfer) return infer_grpc(call, std::move(request), *message);
  const auto answer = grpc_answer(method, *message);
  if (!answer) return send(call, answer.error());
  const std::string head = message_head(answer->size());
  const Bytes pieces[] = {bytes_of(std::string_view(head)), bytes_of(std::string_view(*answer))};
  server_->answer(call, Response{.body = pieces});
}

Result<std::string> Serving::grpc_answer(GrpcMethod method, Bytes message) {
  switch (method) {
    case GrpcMethod::kServerLive:
      return yes_or_no(true);
    case GrpcMethod::kServerReady:
      return yes_or_no(ready());
    case GrpcMethod::kServerMetadata:
      return server_message(options_.server_version);
    case GrpcMethod::kRepositoryIndex:
      return index_message(index(TRY(read_index_request(message))));
    case GrpcMethod::kHealthCheck: {
      const std::string_view service = TRY(read_health_request(message));
      if (service.empty() || service == "inference.GRPCInferenceService")
        return health_message(ready());
      return Error{Code::kNotFound, "there is no such service here"};
    }
    default:
      return grpc_model_answer(method, message);
  }
}

// What is asked about one model.
Result<std::string> Serving::grpc_model_answer(GrpcMethod method, Bytes message) {
  const AskedModel asked = TRY(read_asked_model(message));
  if (method == GrpcMethod::kModelStatistics && asked.name.empty())
    return statistics_message(statistics_of("", nullptr));
  const auto found = models_.find(asked.name, asked.version);
  // Stock clients ask this of models that may not be there, and expect an answer.
  if (method == GrpcMethod::kModelReady) return yes_or_no(found && (*found)->available());
  if (!found) return found.error();
  const Model& model = **found;
  if (method == GrpcMethod::kModelStatistics)
    return statistics_message(
        statistics_of(model.name(), asked.version.empty() ? nullptr : &model));
  if (model.description() == nullptr) return model.unavailable();
  if (method == GrpcMethod::kModelConfig)
    return config_message(model.label(), *model.description());
  return metadata_message(model.label(), models_.versions(model.name()), *model.description());
}

void Serving::infer_grpc(CallId call, Request request, Bytes message) {
  auto asked = read_infer_request(message, options_.json_bytes);
  if (!asked) return send(call, asked.error());
  const auto found = models_.find(asked->model, asked->version);
  if (!found) return send(call, found.error());
  Model& model = **found;
  if (const auto admitted = model.admits(); !admitted) {
    ++model.statistics().rejected;
    return send(call, admitted.error());
  }
  auto parsed = match_request(*model.description(), std::move(asked->request));
  submit(call, model, std::move(request), std::move(parsed));
}

}  // namespace casemate::gateway
