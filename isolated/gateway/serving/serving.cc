// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/serving.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "isolated/gateway/protocol/documents.h"
#include "isolated/gateway/serving/metrics.h"

namespace casemate::gateway {
namespace {

constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

Refusal refusal_of(const Error& error) {
  const uint16_t status = status_of(error.code);
  return {.status = status, .text = error.text, .retry_after_s = status == 503 ? 1u : 0u};
}

// Why an endpoint that stock clients know does nothing here; nullptr for one that does something.
const char* why_absent(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kLoad:
    case Endpoint::kUnload:
      return "models are fixed when the gateway starts, since their measurements are part of the "
             "evidence; change the configuration and start it again";
    case Endpoint::kSharedMemory:
      return "shared memory is not offered, since a client's memory lies outside the wall; send "
             "tensors in the request";
    case Endpoint::kTrace:
      return "traces are not offered, since they would carry requests out of the wall; GET "
             "/v2/models/stats and GET /metrics have times and counts";
    case Endpoint::kLogging:
      return "log settings are not offered: nothing that a client sends is logged";
    default:
      return nullptr;
  }
}

ModelLabel label_of(const Model& model) { return {model.name(), model.version()}; }

Error unavailable(const Model& model) {
  return {Code::kUnavailable, "model '" + model.name() + "' is unavailable: " + model.reason()};
}

}  // namespace

uint16_t status_of(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kInvalid:
    case Code::kCancelled:
      return 400;
    case Code::kDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kTooLarge:
      return 413;
    case Code::kUnsupported:
      return 501;
    case Code::kUnavailable:
      return 503;
    case Code::kTimedOut:
      return 504;  // it may be running: whoever sends it again doubles the load
    case Code::kPartitionFailed:
    case Code::kPlatform:
      return 500;
  }
  return 500;
}

Serving::Serving(Loop& loop, Attestor& attestor, ServingOptions options)
    : loop_(loop), attestor_(attestor), options_(std::move(options)), models_(loop, *this) {}

bool Serving::ready() const { return std::ranges::all_of(models_.models(), &Model::settled); }

void Serving::send(CallId call, std::string_view body, std::string_view type) {
  const Bytes piece = bytes_of(body);
  server_->answer(call, Response{.content_type = type, .body = {&piece, 1}});
}

void Serving::send(CallId call, const Error& error) { server_->answer(call, refusal_of(error)); }

std::optional<Refusal> Serving::admit(Method method, std::string_view target, bool announced) {
  const auto asked = route(method, target);
  if (!asked) return asked.error();
  if (const char* why = why_absent(asked->endpoint)) return Refusal{.status = 501, .text = why};
  if (asked->endpoint != Endpoint::kModelInfer) return std::nullopt;
  // An index may be asked for with no body and so no length, as stock clients do; this may not.
  if (!announced)
    return Refusal{.status = 411, .text = "an inference needs a Content-Length or chunks"};
  const auto model = models_.find(asked->model, asked->version);
  if (!model) return refusal_of(model.error());
  if (const auto admitted = (*model)->admits(); !admitted) {
    ++(*model)->statistics().rejected;
    return refusal_of(admitted.error());
  }
  return std::nullopt;
}

void Serving::serve(CallId call, Request request) {
  CHECK(server_ != nullptr, "open() comes before the first request");
  const auto asked = route(request.method, request.target);
  if (!asked) return server_->answer(call, asked.error());
  switch (asked->endpoint) {
    case Endpoint::kLive:
      return send(call, "{\"live\":true}");
    case Endpoint::kReady:
      if (ready()) return send(call, "{\"ready\":true}");
      return send(call, Error{Code::kUnavailable, "models are still starting"});
    case Endpoint::kServerMetadata:
      return send(call, server_document(options_.server_version));
    case Endpoint::kStatistics:
      return statistics(call, models_.models());
    case Endpoint::kIndex:
      return serve_index(call, request);
    case Endpoint::kMetrics:
      return send(call, metrics_text(models_.models(), server_->counters()), kMetricsType);
    case Endpoint::kEvidence:
      return serve_evidence(call, *asked);
    default:
      return serve_model(call, *asked, std::move(request));
  }
}

void Serving::serve_model(CallId call, const Route& route, Request request) {
  const auto found = models_.find(route.model, route.version);
  if (!found) return send(call, found.error());
  Model& model = **found;
  if (route.endpoint == Endpoint::kModelStatistics) {
    // Without a version all of them are meant.
    const auto all = models_.models();
    const auto same = [&](const Model* m) {
      return route.version.empty() ? m->name() == model.name() : m == &model;
    };
    std::vector<Model*> asked;
    std::ranges::copy_if(all, std::back_inserter(asked), same);
    return statistics(call, asked);
  }
  if (route.endpoint == Endpoint::kModelReady) {
    if (!model.available()) return send(call, unavailable(model));
    return send(call, "{\"ready\":true}");
  }
  if (model.description() == nullptr) return send(call, unavailable(model));
  switch (route.endpoint) {
    case Endpoint::kModelInfer:
      return infer(call, model, std::move(request));
    case Endpoint::kModelConfig:
      return send(call, config_document(label_of(model), *model.description()));
    default:
      return send(call, metadata_document(label_of(model), models_.versions(model.name()),
                                          *model.description()));
  }
}

void Serving::infer(CallId call, Model& model, Request request) {
  auto inference = std::make_unique<Inference>();
  inference->call = call;
  inference->arrived = loop_.now();
  auto parsed = parse_inference_request(*model.description(), request.body.bytes(),
                                        request.inference_header_length, options_.json_bytes);
  if (!parsed) {
    ++model.statistics().other_failed;
    return send(call, parsed.error());
  }
  inference->request = *std::move(parsed);
  // Text that has been decoded is of no more use; what it became counts in its place.
  if (!inference->request.uses_body) request.body.clear();
  if (!request.body.take_also(inference->request.decoded_bytes()))
    return send(call,
                Error{Code::kUnavailable, "the server holds as many tensors as it can; try again"});
  inference->body = std::move(request.body);
  const auto& asked = inference->request.timeout;
  const Duration timeout =
      asked && asked->count() > 0 ? std::min<Duration>(*asked, options_.timeout) : options_.timeout;
  inference->deadline = inference->arrived + timeout;
  const auto submitted = models_.submit(model, std::move(inference));
  if (!submitted) send(call, submitted.error());
}

bool Serving::answered(Model& model, Inference& inference, const Result<Outcome>& outcome) {
  if (!outcome) {
    send(inference.call, outcome.error());
    return true;
  }
  const Instant began = loop_.clock().now();
  const auto written =
      write_inference_response(label_of(model), *model.description(), inference.request,
                               outcome->outputs, options_.json_bytes, response_);
  if (!written) {
    // What cannot be written may be wrong only because it vanished.
    if (outcome->origin.failed()) return false;
    ++model.statistics().other_failed;
    send(inference.call, written.error());
    return true;
  }
  pieces_.assign(1, bytes_of(std::string_view(response_.json)));
  pieces_.insert(pieces_.end(), response_.tensors.begin(), response_.tensors.end());
  Response response{.body = pieces_, .origin = &outcome->origin};
  if (response_.binary) {
    response.content_type = "application/octet-stream";
    response.inference_header_length = response_.json.size();
  }
  if (!server_->answer(inference.call, response)) return false;
  finished(model, inference, began);
  return true;
}

void Serving::finished(Model& model, const Inference& inference, Instant began) {
  Statistics& statistics = model.statistics();
  const Instant ended = loop_.clock().now();
  const auto writing = static_cast<uint64_t>((ended - began).count());
  statistics.compute_output.add(writing);
  if (Statistics::Batch* batch = statistics.batch(inference.request.batch))
    batch->compute_output.add(writing);
  statistics.success.add(static_cast<uint64_t>((ended - inference.arrived).count()));
  statistics.last_inference_ms = static_cast<uint64_t>(loop_.clock().unix_seconds()) * 1000;
}

void Serving::statistics(CallId call, std::span<Model* const> models) {
  std::vector<StatisticsEntry> entries;
  for (const Model* model : models) entries.push_back({label_of(*model), &model->statistics()});
  send(call, statistics_document(entries));
}

void Serving::serve_index(CallId call, const Request& request) {
  const auto only_ready = read_index_filter(request.body.bytes());
  if (!only_ready) return send(call, only_ready.error());
  std::vector<IndexEntry> entries;
  for (const Model* model : models_.models()) {
    if (*only_ready && !model->available()) continue;
    entries.push_back({model->name(), model->version(), model->available(), model->reason()});
  }
  send(call, index_document(entries));
}

void Serving::serve_evidence(CallId call, const Route& route) {
  const auto nonce_text = query_value(route.query, "nonce");
  const auto name = query_value(route.query, "model");
  if (!nonce_text) return send(call, nonce_text.error());
  if (!name) return send(call, name.error());
  std::optional<Nonce> nonce;
  if (*nonce_text) {
    const auto bytes = from_hex(**nonce_text);
    if (!bytes || bytes->size() != Nonce{}.size())
      return send(call, Error{Code::kInvalid, "nonce takes 64 hexadecimal digits"});
    const auto session = server_->binding(call);
    if (!session) return send(call, session.error());
    nonce = proof_nonce(load<Nonce>(*bytes), *session);
  }
  const Model* model = nullptr;
  if (*name) {
    const auto found = models_.find(**name, "");
    if (!found) return send(call, found.error());
    model = *found;
  }
  if (evidence_pending_ >= options_.evidence_pending)
    return send(call,
                Error{Code::kUnavailable, "too many clients ask for evidence at once; try again"});
  ++evidence_pending_;
  attestor_.evidence(nonce, model == nullptr ? "" : model->name(),
                     model == nullptr ? "" : model->version(),
                     [this, call](Result<std::vector<uint8_t>> evidence) {
                       --evidence_pending_;
                       if (!evidence) return send(call, evidence.error());
                       send(call, text_of(*evidence), "application/cbor");
                     });
}

}  // namespace casemate::gateway
