// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/serving.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "isolated/gateway/http/http2_fields.h"
#include "isolated/gateway/protocol/documents.h"
#include "isolated/gateway/serving/absent.h"
#include "isolated/gateway/serving/metrics.h"

namespace casemate::gateway {
namespace {

constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
// A body so small that it need not be asked what of it is text: all of it counts.
constexpr uint64_t kTinyBody = 4 << 10;

Refusal refusal_of(const Error& error) {
  const uint16_t status = status_of(error.code);
  return {.status = status, .text = error.text, .retry_after_s = status == 503 ? 1u : 0u};
}

// What of a body takes time to read: JSON, or what protobuf does not carry as raw bytes. What a
// client says wrongly about it is refused before that is read.
uint64_t text_size(const Request& request) {
  const Bytes body = request.body.bytes();
  if (body.size() <= kTinyBody) return body.size();
  if (of_grpc(request.target)) {
    const auto message = single_message(body);
    return message ? typed_bytes(*message, Backlog::kAtOnce + 1) : 0;
  }
  if (!request.inference_header_length) return body.size();
  return std::min<uint64_t>(decimal(*request.inference_header_length).value_or(0), body.size());
}

// Why an endpoint that stock clients know does nothing here; nullptr for one that does something.
const char* why_absent(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kLoad:
    case Endpoint::kUnload:
      return absent::kLoading;
    case Endpoint::kSharedMemory:
      return absent::kSharedMemory;
    case Endpoint::kTrace:
      return absent::kTraces;
    case Endpoint::kLogging:
      return absent::kLogging;
    default:
      return nullptr;
  }
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
    : loop_(loop),
      options_(std::move(options)),
      drafts_(loop),
      models_(loop, *this),
      backlog_(loop,
               [this](CallId call, Request request) { begin_late(call, std::move(request)); }),
      evidence_(loop, attestor,
                {.asked = options_.evidence_pending,
                 .known = options_.evidence_pending * ServingOptions::kEvidenceKnown,
                 .patience = options_.evidence_patience},
                [this](CallId call, const Result<std::vector<uint8_t>>& evidence) {
                  if (!evidence) return send(call, evidence.error());
                  send(call, text_of(*evidence), "application/cbor");
                }) {}

bool Serving::ready() const { return std::ranges::all_of(models_.models(), &Model::settled); }

void Serving::send(CallId call, std::string_view body, std::string_view type) {
  const Bytes piece = bytes_of(body);
  server_->answer(call, Response{.content_type = type, .body = {&piece, 1}});
}

void Serving::send(CallId call, const Error& error) { server_->answer(call, refusal_of(error)); }

std::optional<Refusal> Serving::admit(Method method, std::string_view target, bool announced) {
  if (of_grpc(target)) return admit_grpc(method, target);
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
  if (backlog_.admits(text_size(request))) return begin(call, std::move(request));
  Body body = std::move(request.body);
  backlog_.add(call, request, std::move(body));
}

// The seam: without memory for what a text becomes, its client is told so. A connection that serves
// at once has a seam of its own.
void Serving::begin_late(CallId call, Request request) {
  try {
    begin(call, std::move(request));
  } catch (const std::exception&) {
    send(call, Error{Code::kUnavailable, "the server is short of memory; try again"});
  }
}

void Serving::cancelled(CallId call) {
  if (backlog_.cancel(call)) return;
  evidence_.cancel(call);
  models_.cancel(call);
}

void Serving::begin(CallId call, Request request) {
  if (of_grpc(request.target)) return serve_grpc(call, std::move(request));
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
      return send(call, statistics_document(statistics_of("", nullptr)));
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
    const Model* one = route.version.empty() ? nullptr : &model;
    return send(call, statistics_document(statistics_of(model.name(), one)));
  }
  if (route.endpoint == Endpoint::kModelReady) {
    if (!model.available()) return send(call, model.unavailable());
    return send(call, "{\"ready\":true}");
  }
  if (model.description() == nullptr) return send(call, model.unavailable());
  switch (route.endpoint) {
    case Endpoint::kModelInfer:
      return infer(call, model, std::move(request));
    case Endpoint::kModelConfig:
      return send(call, config_document(model.label(), *model.description()));
    default:
      return send(call, metadata_document(model.label(), models_.versions(model.name()),
                                          *model.description()));
  }
}

void Serving::infer(CallId call, Model& model, Request request) {
  auto parsed = parse_inference_request(*model.description(), request.body.bytes(),
                                        request.inference_header_length, options_.json_bytes);
  submit(call, model, std::move(request), std::move(parsed));
}

void Serving::submit(CallId call, Model& model, Request request, Result<InferenceRequest> parsed) {
  if (!parsed) {
    ++model.statistics().other_failed;
    return send(call, parsed.error());
  }
  auto inference = std::make_unique<Inference>();
  inference->call = call;
  inference->grpc = request.grpc;
  inference->arrived = loop_.now();
  inference->request = *std::move(parsed);
  // Text that has been decoded is of no more use; what it became counts in its place.
  if (!inference->request.uses_body) request.body.clear();
  if (!request.body.take_also(inference->request.decoded_bytes()))
    return send(call,
                Error{Code::kUnavailable, "the server holds as many tensors as it can; try again"});
  inference->body = std::move(request.body);
  const auto& asked = inference->request.timeout;
  Duration timeout = options_.timeout;
  if (asked && asked->count() > 0) timeout = std::min<Duration>(*asked, timeout);
  if (request.grpc_timeout) timeout = std::min<Duration>(*request.grpc_timeout, timeout);
  inference->deadline = inference->arrived + timeout;
  const auto submitted = models_.submit(model, std::move(inference));
  if (!submitted) send(call, submitted.error());
}

// Writes as much of an answer's text as this round has time for; true when all of it is there.
Result<bool> Serving::write_text(const Model& model, Inference& inference, const Outcome& outcome) {
  const auto begin_draft = [&](ResponseWriter begun) {
    inference.draft = std::make_unique<Draft>(drafts_, inference.call, std::move(begun));
  };
  if (inference.draft == nullptr &&
      expected_text(inference.request, outcome.outputs) > Drafts::kShort)
    begin_draft({});
  Draft* const draft = inference.draft.get();
  const size_t room = draft == nullptr ? drafts_.room(&outcome.origin) : drafts_.room(*draft);
  if (room == 0) return false;
  ResponseWriter& writer = draft == nullptr ? writer_ : draft->writer;
  if (draft == nullptr) writer.clear();
  const size_t before = writer.response().json.size();
  auto whole =
      writer.write({model.label(), *model.description(), inference.request, outcome.outputs},
                   options_.json_bytes, room);
  drafts_.wrote(draft, writer.response().json.size() - before);
  // Not as short as it was expected to be.
  if (draft == nullptr && whole && !*whole) begin_draft(std::exchange(writer_, {}));
  return whole;
}

// The answer's body, of pieces that stay until the next answer is written; false when that has to
// go on in the next round.
Result<bool> Serving::write(const Model& model, Inference& inference, const Outcome& outcome,
                            Response& response) {
  if (inference.grpc) {
    TRY(write_infer_response(model.label(), *model.description(), inference.request,
                             outcome.outputs, grpc_answer_));
    response.body = grpc_answer_.pieces;
    return true;
  }
  if (!TRY(write_text(model, inference, outcome))) return false;
  const InferenceResponse& written =
      (inference.draft == nullptr ? writer_ : inference.draft->writer).response();
  pieces_.assign(1, bytes_of(std::string_view(written.json)));
  pieces_.insert(pieces_.end(), written.tensors.begin(), written.tensors.end());
  response.body = pieces_;
  if (!written.binary) return true;
  response.content_type = "application/octet-stream";
  response.inference_header_length = written.json.size();
  return true;
}

Answering::Answered Serving::answered(Model& model, Inference& inference,
                                      const Result<Outcome>& outcome) {
  if (!outcome) {
    send(inference.call, outcome.error());
    return Answered::kDone;
  }
  const Instant began = loop_.clock().now();
  Response response{.origin = &outcome->origin};
  const auto written = write(model, inference, *outcome, response);
  if (!written) {
    // What cannot be written may be wrong only because it vanished.
    if (outcome->origin.failed()) return Answered::kVanished;
    ++model.statistics().other_failed;
    send(inference.call, written.error());
    return Answered::kDone;
  }
  if (*written && !server_->answer(inference.call, response)) return Answered::kVanished;
  const Instant ended = loop_.clock().now();
  inference.output += ended - began;
  if (!*written) return Answered::kLater;
  finished(model, inference, ended);
  return Answered::kDone;
}

void Serving::finished(Model& model, const Inference& inference, Instant ended) {
  Statistics& statistics = model.statistics();
  const auto writing = static_cast<uint64_t>(inference.output.count());
  statistics.compute_output.add(writing);
  if (Statistics::Batch* batch = statistics.batch(inference.request.batch))
    batch->compute_output.add(writing);
  statistics.success.add(static_cast<uint64_t>((ended - inference.arrived).count()));
  statistics.last_inference_ms = static_cast<uint64_t>(loop_.clock().unix_seconds()) * 1000;
}

// Of all models, of all versions of one, or of one version.
std::vector<StatisticsEntry> Serving::statistics_of(std::string_view name,
                                                    const Model* model) const {
  std::vector<StatisticsEntry> entries;
  for (const Model* each : models_.models()) {
    if (!name.empty() && each->name() != name) continue;
    if (model != nullptr && each != model) continue;
    entries.push_back({each->label(), &each->statistics()});
  }
  return entries;
}

std::vector<IndexEntry> Serving::index(bool only_ready) const {
  std::vector<IndexEntry> entries;
  for (const Model* model : models_.models()) {
    if (only_ready && !model->available()) continue;
    entries.push_back({model->name(), model->version(), model->available(), model->reason()});
  }
  return entries;
}

void Serving::serve_index(CallId call, const Request& request) {
  const auto only_ready = read_index_filter(request.body.bytes());
  if (!only_ready) return send(call, only_ready.error());
  send(call, index_document(index(*only_ready)));
}

// nullptr when none is named.
Result<const Model*> Serving::vouched_model(const Route& route) const {
  const auto name = TRY(query_value(route.query, "model"));
  const auto version = TRY(query_value(route.query, "version"));
  if (name) return TRY(models_.find(*name, version.value_or("")));
  if (version)
    return Error{Code::kInvalid, "version is that of a model: name it with the parameter model"};
  return nullptr;
}

void Serving::serve_evidence(CallId call, const Route& route) {
  const auto nonce_text = query_value(route.query, "nonce");
  if (!nonce_text) return send(call, nonce_text.error());
  std::optional<Nonce> nonce;
  if (*nonce_text) {
    const auto bytes = from_hex(**nonce_text);
    if (!bytes || bytes->size() != Nonce{}.size())
      return send(call, Error{Code::kInvalid, "nonce takes 64 hexadecimal digits"});
    const auto session = server_->binding(call);
    if (!session) return send(call, session.error());
    nonce = proof_nonce(load<Nonce>(*bytes), *session);
  }
  const auto model = vouched_model(route);
  if (!model) return send(call, model.error());
  EvidenceQueue::Question question{.call = call, .nonce = nonce, .model = {}, .version = {}};
  if (*model != nullptr) {
    question.model = (*model)->name();
    question.version = (*model)->version();
  }
  const Status added = evidence_.add(std::move(question));
  if (!added) send(call, added.error());
}

}  // namespace casemate::gateway
