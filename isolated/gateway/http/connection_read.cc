// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/format.h"
#include "isolated/gateway/http/connection.h"

namespace casemate::gateway {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Old clients send one behind a body.
constexpr size_t kEmptyLinesMax = 8;

Refusal full(const HttpLimits& limits) {
  return {.status = 503,
          .text = "the server holds as many bodies as it can; try again",
          .retry_after_s = limits.retry_after_s};
}

}  // namespace

Bytes Connection::window() const { return input_.empty() ? fresh_ : Bytes(input_); }

void Connection::consume(size_t bytes) {
  if (input_.empty()) {
    fresh_ = fresh_.subspan(bytes);
  } else if (bytes == input_.size()) {
    std::vector<uint8_t>().swap(input_);
  } else {
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(bytes));
  }
}

// Before others use the server's buffer, what we have not used of it becomes ours.
void Connection::park() {
  if (!fresh_.empty()) input_.assign(fresh_.begin(), fresh_.end());
  fresh_ = {};
}

// What a read means for the connection. kOn after bytes and after the client's close_notify.
Connection::Step Connection::absorb(TlsStream::Moved moved) {
  switch (moved.state) {
    case TlsStream::State::kDone:
      moved_ += moved.bytes + (moved.bytes == 0 ? Cost::kEmptyRead : Cost::kRead);
      window_bytes_ += moved.bytes;
      readable_ = tls_->more() || hung_up_;
      return Step::kOn;
    case TlsStream::State::kWaitRead:
      readable_ = false;
      return Step::kWait;
    case TlsStream::State::kWaitWrite:
      return Step::kWait;
    case TlsStream::State::kClosed:
      client_done_ = true;
      readable_ = false;
      return Step::kOn;
    case TlsStream::State::kFailed:
      return Step::kGone;
  }
  return Step::kGone;
}

// One record into the window, or as much of it as the window may hold; OpenSSL keeps the rest.
// Requires: the window is not full.
Connection::Step Connection::read_more() {
  if (!readable_) return Step::kWait;
  park();
  const size_t room = server_.limits_.head_bytes - input_.size();
  const TlsStream::Moved moved =
      tls_->read(MutableBytes(server_.plain_).first(std::min(room, server_.plain_.size())));
  const Step next = absorb(moved);
  if (next != Step::kOn) return next;
  const Bytes bytes = Bytes(server_.plain_).first(moved.bytes);
  if (input_.empty()) {
    fresh_ = bytes;
  } else {
    input_.insert(input_.end(), bytes.begin(), bytes.end());
  }
  return Step::kOn;
}

// RFC 9112, section 2.2: an empty line before the request is to be ignored. False when there were
// more than a client of good will sends.
bool Connection::skip_empty_lines() {
  const std::string_view text = text_of(window());
  size_t lines = 0;
  while (text.substr(2 * lines).starts_with("\r\n")) ++lines;
  if (lines > 0) consume(2 * lines);
  empty_lines_ += lines;
  return empty_lines_ <= kEmptyLinesMax;
}

// Nothing of a request is here; half an empty line is nothing.
bool Connection::nothing_yet() const { return input_.empty() || text_of(input_) == "\r"; }

Connection::Step Connection::read_head() {
  if (!skip_empty_lines())
    return refuse_head(
        {.status = 400,
         .text = formatted("more than {} empty lines stand before the request", kEmptyLinesMax)});
  const std::string_view text = text_of(window());
  if (text.empty() && client_done_) {
    tls_->close_output();
    tls_->flush();
    return Step::kGone;
  }
  const size_t size = head_size(text, searched_);
  const size_t limit = server_.limits_.head_bytes;
  if (size > limit || (size == 0 && text.size() >= limit))
    return refuse_head(
        {.status = 431, .text = formatted("the request head is longer than {} bytes", limit)});
  if (size == 0) {
    searched_ = text.size();
    if (client_done_) return Step::kGone;
    return read_more();
  }
  searched_ = 0;
  auto head = parse_head(text.substr(0, size));
  if (!head) return refuse_head(head.error());
  return begin_request(*std::move(head), text.substr(0, size));
}

Connection::Step Connection::begin_request(RequestHead head, std::string_view block) {
  deadline_.unlink();
  head_ = std::move(head);
  empty_lines_ = 0;
  turn_ = ++server_.turns_[place_];
  ++server_.counters_.requests;
  moved_ += Cost::kRequest;
  last_ = !head_.keep_alive;
  head_only_ = head_.method == Method::kHead;
  body_left_ = head_.content_length.value_or(0);
  const HttpLimits& limits = server_.limits_;
  const bool announced = head_.content_length || head_.chunked;
  std::optional<Refusal> refusal = server_.service_.admit(head_.method, head_.target, announced);
  // Behind a refused POST that announces no body there may be one all the same.
  const bool framed = announced || head_.method != Method::kPost;
  if (!refusal && body_left_ > limits.body_bytes) {
    refusal = {
        .status = 413,
        .text = formatted("the body has {} bytes, the limit is {}", body_left_, limits.body_bytes)};
  } else if (!refusal && body_left_ > 0 && !server_.budget_.admits(body_left_, body_left_)) {
    refusal = full(limits);
  }
  if (refusal) {
    const bool short_body = framed && !head_.chunked && body_left_ <= limits.drain_bytes;
    const bool expected = head_.expect_continue && body_left_ > 0;
    consume(block.size());
    if (!short_body || expected) return refuse(*refusal, true);
    verdict_ = std::move(refusal);
    phase_ = Phase::kBody;
    return Step::kOn;
  }
  return begin_body(block);
}

Connection::Step Connection::begin_body(std::string_view block) {
  const bool identity = head_.encoding == Encoding::kIdentity;
  body_ = Body(server_.budget_, server_.limits_.body_bytes, identity ? body_left_ : 0);
  if (head_.chunked) chunks_ = ChunkReader::make(block);
  consume(block.size());
  if (!head_.chunked && body_left_ == 0) return serve();
  if (!identity) inflater_ = Inflater::make(head_.encoding);
  if (!identity && inflater_ == nullptr) return refuse(full(server_.limits_), true);
  phase_ = Phase::kBody;
  body_began_ = server_.loop_.now();
  if (head_.expect_continue && !head_.old_version && window().empty()) {
    if (tls_->write(bytes_of(kContinue)) != TlsStream::State::kDone ||
        tls_->flush() == TlsStream::State::kFailed)
      return Step::kGone;
  }
  return Step::kOn;
}

Connection::Step Connection::read_body() {
  if (verdict_) return read_to_drop();
  if (chunks_ != nullptr) return read_chunks();
  return read_known();
}

// Content on its way into the body.
std::optional<Refusal> Connection::take(Bytes content) {
  if (inflater_ != nullptr) {
    const uint64_t before = body_.size();
    auto refusal = inflater_->feed(content, body_);
    moved_ += body_.size() - before;  // decompression is work, too
    return refusal;
  }
  if (body_.append(content)) return std::nullopt;
  if (body_.full())
    return Refusal{.status = 413,
                   .text = formatted("the body is larger than {} bytes", body_.limit())};
  return full(server_.limits_);
}

Connection::Step Connection::ended_early() {
  return refuse({.status = 400, .text = "the body ended before its announced length"}, true);
}

Connection::Step Connection::read_known() {
  if (body_left_ == 0) return end_body();
  const Bytes ready = window().first(std::min<uint64_t>(window().size(), body_left_));
  if (!ready.empty()) {
    const auto refusal = take(ready);
    body_left_ -= ready.size();
    consume(ready.size());
    if (refusal) return refuse(*refusal, true);
    return Step::kOn;
  }
  if (client_done_) return ended_early();
  if (inflater_ != nullptr) return read_more();
  if (!readable_) return Step::kWait;
  const MutableBytes room = body_.space();
  if (room.empty()) return refuse(full(server_.limits_), true);
  const TlsStream::Moved moved = tls_->read(room);
  const Step next = absorb(moved);
  body_.commit(moved.bytes);
  body_left_ -= moved.bytes;
  return next;
}

Connection::Step Connection::read_chunks() {
  auto used = chunks_->feed(window(), *this);
  if (!used) return refuse(used.error(), true);
  consume(*used);
  if (chunks_->done()) return end_body();
  if (*used > 0) return Step::kOn;
  if (window().size() >= server_.limits_.head_bytes)
    return refuse({.status = 400,
                   .text = formatted("a chunk's head or the trailer is longer than {} bytes",
                                     server_.limits_.head_bytes)},
                  true);
  if (client_done_) return ended_early();
  return read_more();
}

Connection::Step Connection::read_to_drop() {
  const size_t ready = std::min<uint64_t>(window().size(), body_left_);
  consume(ready);
  body_left_ -= ready;
  if (body_left_ == 0) return refuse(Refusal(*verdict_));
  return client_done_ ? ended_early() : read_more();
}

Connection::Step Connection::end_body() {
  if (inflater_ != nullptr) {
    if (const auto refusal = inflater_->finish()) return refuse(*refusal);
    inflater_.reset();
  }
  chunks_.reset();
  return serve();
}

Connection::Step Connection::serve() {
  phase_ = Phase::kWaiting;
  // Of no use while the service works, which may be long.
  const std::string target = std::move(head_.target);
  const auto header_length = std::move(head_.inference_header_length);
  head_.target = std::string();
  head_.inference_header_length.reset();
  Request request{.method = head_.method,
                  .target = target,
                  .inference_header_length = header_length,
                  .body = std::move(body_)};
  body_ = Body();
  server_.service_.serve(call(), std::move(request));
  return Step::kOn;
}

// While the service works: has the client gone? What it sends meanwhile is kept, up to a limit.
Connection::Step Connection::watch_client() {
  if (!readable_ || client_done_ || window().size() >= server_.limits_.head_bytes)
    return Step::kWait;
  return read_more();
}

}  // namespace casemate::gateway
