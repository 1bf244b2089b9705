// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/http2_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "isolated/gateway/http/http2_fields.h"
#include "isolated/gateway/protocol/documents.h"

namespace casemate::gateway {
namespace {

// Work of a header field beyond its bytes: a table makes one of a single byte.
constexpr uint64_t kFieldCost = 32;
// Of a message of gRPC: a flag and a length.
constexpr size_t kMessageHead = 5;

Refusal no_room(const HttpLimits& limits) {
  return {.status = 503,
          .text = "the server holds as many bodies as it can; try again",
          .retry_after_s = limits.retry_after_s};
}

Refusal too_large(uint64_t limit) {
  return {.status = 413, .text = formatted("the body is larger than {} bytes", limit)};
}

constexpr std::array kGrpcDone = {HeaderField{"grpc-status", "0"}};

}  // namespace

// In the order of the mapping that Triton has: see docs/proxy.md.
uint32_t grpc_status_of(uint16_t status) {
  switch (status) {
    case 200:
      return 0;
    case 403:
      return 7;  // PERMISSION_DENIED
    case 404:
      return 5;  // NOT_FOUND
    case 408:
    case 504:
      return 4;  // DEADLINE_EXCEEDED
    case 413:
    case 431:
      return 8;  // RESOURCE_EXHAUSTED
    case 405:
    case 501:
      return 12;  // UNIMPLEMENTED
    case 503:
      return 14;  // UNAVAILABLE
    default:
      return status >= 400 && status < 500 ? 3 : 13;  // INVALID_ARGUMENT, INTERNAL
  }
}

Http2Connection::Stream* Http2Connection::find(StreamId stream) {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : found->second.get();
}

Http2Connection::Stream* Http2Connection::of_turn(uint32_t turn) const {
  for (const auto& [id, stream] : streams_)
    if (stream->phase == Phase::kWaiting && stream->turn == turn) return stream.get();
  return nullptr;
}

bool Http2Connection::waits(uint32_t turn) const { return of_turn(turn) != nullptr; }

void Http2Connection::enter(Stream& stream, Phase phase) {
  stream.phase = phase;
  stream.window_bytes = 0;
  switch (phase) {
    case Phase::kHead:
      return server_.enter(stream, Wait::kHead);
    case Phase::kBody:
      return server_.enter(stream, Wait::kBody);
    case Phase::kWaiting:
      return stream.unlink();
    case Phase::kSending:
      return server_.enter(stream, Wait::kSend);
  }
}

void Http2Connection::begun(StreamId id) {
  auto& stream = streams_[id];
  stream = std::make_unique<Stream>(*this, id);
  enter(*stream, Phase::kHead);
}

// nghttp2 has looked at each of its characters.
void Http2Connection::unpacked(size_t bytes) { moved_ += kFieldCost + bytes; }

void Http2Connection::field(StreamId id, std::string_view name, std::string_view value) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->wrong) return;
  stream->head_bytes += name.size() + value.size() + Http2Session::kFieldOverhead;
  const size_t limit = server_.limits_.head_bytes;
  if (stream->head_bytes > limit) {
    stream->wrong = {.status = 431,
                     .text = formatted("the request head is longer than {} bytes", limit)};
  } else {
    stream->wrong = take_field(*stream, name, value);
  }
}

std::optional<Refusal> Http2Connection::take_field(Stream& stream, std::string_view name,
                                                   std::string_view value) {
  RequestHead& head = stream.head;
  if (name == ":method") {
    head.method = method_named(value);
  } else if (name == ":path") {
    head.target = value;
  } else if (name == "content-length") {
    head.content_length = decimal(value);  // nghttp2 holds the body against it
    if (!head.content_length) return Refusal{.status = 400, .text = "content-length is no number"};
  } else if (name == "content-type") {
    stream.grpc = grpc_content(value);
  } else if (name == "content-encoding") {
    const auto encoding = encoding_named(value);
    if (!encoding || head.encoding != Encoding::kIdentity)
      return Refusal{.status = 415, .text = "Content-Encoding is gzip, deflate or none, once"};
    head.encoding = *encoding;
  } else if (name == "inference-header-content-length") {
    if (head.inference_header_length)
      return Refusal{.status = 400, .text = "Inference-Header-Content-Length appears twice"};
    head.inference_header_length = value;
  } else if (name == "grpc-timeout") {
    stream.grpc_timeout = grpc_timeout(value);
    if (!stream.grpc_timeout)
      return Refusal{.status = 400, .text = "grpc-timeout is up to eight digits and a unit"};
  }
  return std::nullopt;
}

// What is wrong with a request before its body is there.
std::optional<Refusal> Http2Connection::refusal_of(Stream& stream, bool last) {
  if (stream.wrong) return std::exchange(stream.wrong, std::nullopt);
  const HttpLimits& limits = server_.limits_;
  auto refusal = server_.service_.admit(stream.head.method, stream.head.target, !last);
  // What is nowhere is, to gRPC, a method that nobody wrote.
  if (refusal && stream.grpc && refusal->status == 404) refusal->status = 501;
  if (refusal) return refusal;
  const uint64_t announced = stream.head.content_length.value_or(0);
  if (announced > limits.body_bytes)
    return Refusal{
        .status = 413,
        .text = formatted("the body has {} bytes, the limit is {}", announced, limits.body_bytes)};
  if (!server_.budget_.admits(announced, announced)) return no_room(limits);
  return std::nullopt;
}

void Http2Connection::head_ended(StreamId id, bool last) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  ++server_.counters_.requests;
  moved_ += Cost::kRequest;
  if (const auto refusal = refusal_of(*stream, last)) {
    stream->complete = last;
    return refuse(*stream, *refusal);
  }
  begin_body(*stream);
}

void Http2Connection::begin_body(Stream& stream) {
  const bool identity = stream.head.encoding == Encoding::kIdentity;
  const uint64_t expected = identity ? stream.head.content_length.value_or(0) : 0;
  stream.body = Body(server_.budget_, server_.limits_.body_bytes, expected);
  if (!identity) stream.inflater = Inflater::make(stream.head.encoding);
  if (!identity && stream.inflater == nullptr) return refuse(stream, no_room(server_.limits_));
  stream.body_began = server_.loop_.now();
  enter(stream, Phase::kBody);
}

std::optional<Refusal> Http2Connection::append(Stream& stream, Bytes bytes) {
  if (stream.inflater != nullptr) {
    const uint64_t before = stream.body.size();
    auto refusal = stream.inflater->feed(bytes, stream.body);
    moved_ += stream.body.size() - before;  // decompression is work, too
    return refusal;
  }
  const HttpLimits& limits = server_.limits_;
  if (stream.grpc && stream.body.size() == 0 && bytes.size() >= kMessageHead) {
    // A call's one message says how long it is: its memory is then taken once.
    uint64_t whole = 0;
    for (const uint8_t byte : bytes.subspan(1, 4)) whole = whole << 8 | byte;
    whole += kMessageHead;
    if (whole > limits.body_bytes) return too_large(limits.body_bytes);
    stream.body = Body(server_.budget_, limits.body_bytes, whole);
  }
  if (stream.body.append(bytes)) return std::nullopt;
  return stream.body.full() ? too_large(stream.body.limit()) : no_room(limits);
}

void Http2Connection::content(StreamId id, Bytes bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->phase != Phase::kBody) return;  // refused: it is dropped
  stream->window_bytes += bytes.size();
  if (const auto refusal = append(*stream, bytes)) refuse(*stream, *refusal);
}

void Http2Connection::ended(StreamId id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->complete = true;
  if (stream->phase != Phase::kBody) return;
  if (stream->inflater != nullptr) {
    if (const auto refusal = stream->inflater->finish()) return refuse(*stream, *refusal);
    stream->inflater.reset();
  }
  serve(*stream);
}

void Http2Connection::serve(Stream& stream) {
  stream.turn = ++server_.turns_[place_];
  enter(stream, Phase::kWaiting);
  // Of no use while the service works, which may be long.
  const RequestHead head = std::exchange(stream.head, {.method = stream.head.method});
  Request request{.method = head.method,
                  .target = head.target,
                  .inference_header_length = head.inference_header_length,
                  .grpc = stream.grpc,
                  .grpc_timeout = stream.grpc_timeout,
                  .body = std::move(stream.body)};
  stream.body = Body();
  server_.service_.serve({place_, stream.turn}, std::move(request));
}

bool Http2Connection::answer(uint32_t turn, const Response& response) {
  if (!respond(*of_turn(turn), response)) return false;
  answered_outside();
  return true;
}

void Http2Connection::answer(uint32_t turn, const Refusal& refusal) {
  respond_error(*of_turn(turn), refusal);
  answered_outside();
}

void Http2Connection::refuse(Stream& stream, const Refusal& refusal) {
  ++server_.counters_.refused;
  respond_error(stream, refusal);
}

void Http2Connection::respond_error(Stream& stream, const Refusal& refusal) {
  if (!stream.grpc) {
    const std::string document = error_document(refusal.text);
    const Bytes body = bytes_of(std::string_view(document));
    respond(stream, {.status = refusal.status,
                     .allow = refusal.allow,
                     .retry_after_s = refusal.retry_after_s,
                     .body = {&body, 1}});
    return;
  }
  stream.body = Body();
  stream.inflater.reset();
  enter(stream, Phase::kSending);
  const std::string status = formatted("{}", grpc_status_of(refusal.status));
  const std::string message = grpc_message(refusal.text);
  const std::array fields = std::to_array<HeaderField>({{":status", "200"},
                                                        {"content-type", "application/grpc"},
                                                        {"grpc-status", status},
                                                        {"grpc-message", message}});
  session_->respond(stream.id, fields, false);
}

// False, with nothing done, when what was to be sent has vanished.
bool Http2Connection::respond(Stream& stream, const Response& response) {
  uint64_t size = 0;
  for (const Bytes piece : response.body) size += piece.size();
  const bool head_only = stream.head.method == Method::kHead;
  if (!head_only) {
    Share share;
    if (!share.take(server_.budget_, size, size)) {
      session_->reset(stream.id, Http2Session::kInternalError);
      return true;
    }
    std::vector<uint8_t> rest;
    rest.reserve(size);
    for (const Bytes piece : response.body) rest.insert(rest.end(), piece.begin(), piece.end());
    if (response.origin != nullptr && response.origin->failed()) return false;
    stream.rest = std::move(rest);
    stream.rest_share = std::move(share);
  }
  stream.body = Body();
  stream.inflater.reset();
  stream.has_trailer = stream.grpc;
  enter(stream, Phase::kSending);
  const std::string status = formatted("{}", response.status);
  const std::string length = formatted("{}", size);
  const std::string header = formatted("{}", response.inference_header_length.value_or(0));
  const std::string retry = formatted("{}", response.retry_after_s);
  std::vector<HeaderField> fields = {{":status", status}};
  if (stream.grpc) {
    fields.push_back({"content-type", "application/grpc"});
  } else {
    fields.push_back({"date", server_.date()});
    fields.push_back({"content-type", response.content_type});
    fields.push_back({"content-length", length});
    if (response.inference_header_length)
      fields.push_back({"inference-header-content-length", header});
    if (!response.allow.empty()) fields.push_back({"allow", response.allow});
    if (response.retry_after_s != 0) fields.push_back({"retry-after", retry});
  }
  session_->respond(stream.id, fields, !head_only);
  return true;
}

size_t Http2Connection::left(StreamId id) {
  const Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->rest.size() - stream->rest_at;
}

Bytes Http2Connection::take(StreamId id, size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr) return {};
  const Bytes piece = Bytes(stream->rest).subspan(stream->rest_at, bytes);
  stream->rest_at += bytes;
  stream->window_bytes += bytes;
  return piece;
}

std::span<const HeaderField> Http2Connection::trailer(StreamId id) {
  const Stream* stream = find(id);
  if (stream == nullptr || !stream->has_trailer) return {};
  return kGrpcDone;
}

void Http2Connection::answered(StreamId id) {
  const Stream* stream = find(id);
  // Whoever still sends what is not wanted hears that it may stop (RFC 9113, section 8.1).
  if (stream != nullptr && !stream->complete) session_->reset(id, Http2Session::kNoError);
}

void Http2Connection::closed(StreamId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::unique_ptr<Stream> stream = std::move(found->second);
  streams_.erase(found);
  if (stream->phase == Phase::kWaiting) server_.service_.cancelled({place_, stream->turn});
}

// A stream's deadline has passed.
void Http2Connection::slow(Stream& stream) {
  const HttpLimits& limits = server_.limits_;
  const Wait wait = stream.wait;
  stream.unlink();
  const bool in_time = wait == Wait::kSend || server_.loop_.now() - stream.body_began < limits.body;
  if (wait != Wait::kHead && in_time && stream.window_bytes >= limits.rate_bytes)
    return enter(stream, stream.phase);
  ++server_.counters_.timed_out;
  // Within a head nothing else can be said or heard.
  if (wait == Wait::kHead) return server_.remove(*this);
  // The seam: without memory for an answer its connection ends.
  try {
    if (wait == Wait::kBody) {
      refuse(stream,
             {.status = 408,
              .text = formatted("the body arrived too slowly; {} bytes in {} s are needed",
                                limits.rate_bytes,
                                std::chrono::duration<double>(limits.rate_window).count())});
    } else {
      session_->reset(stream.id, Http2Session::kCancel);
    }
  } catch (const std::exception&) {
    broken_ = true;
  }
  drive();
}

}  // namespace casemate::gateway
