// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/connection.h"

#include <sys/socket.h>

#include <utility>

#include "base/format.h"
#include "isolated/gateway/http/response_head.h"
#include "isolated/gateway/protocol/documents.h"

namespace casemate::gateway {
namespace {

// Encrypted at a time; OpenSSL cuts it into records of 16 KiB.
constexpr size_t kSendStep = 64 << 10;
// Up to here an answer is copied behind its head and leaves as one record.
constexpr size_t kOneRecord = 16 << 10;

constexpr std::string_view kPlainText =
    "{\"error\":\"this port speaks TLS 1.3; use https://, or the casemate proxy\"}\n";

}  // namespace

Connection::Connection(Server& server, uint32_t place, std::unique_ptr<TlsStream> tls)
    : ClientConnection(server, place, std::move(tls)), turn_(server.turns_[place]) {}

Connection::~Connection() = default;

void Connection::ready(uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if (phase_ == Phase::kHandshake) return server_.queue_handshake(*this);
  if (tls_->unsent() && tls_->flush() == TlsStream::State::kFailed) phase_ = Phase::kGone;
  drive();
}

void Connection::shake_hands() {
  switch (tls_->handshake()) {
    case TlsStream::State::kDone:
      if (tls_->speaks_http2()) return server_.upgrade(*this);
      phase_ = Phase::kHead;
      readable_ = true;
      return drive();
    case TlsStream::State::kWaitRead:
    case TlsStream::State::kWaitWrite:
      return;
    default:
      break;
  }
  ++server_.counters_.handshakes_failed;
  if (!tls_->plain_http()) return server_.remove(*this);
  const std::string plain = formatted(
      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      kPlainText.size(), kPlainText);
  ::send(socket(), plain.data(), plain.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket(), SHUT_WR);
  phase_ = Phase::kLingering;
  drive();
}

void Connection::drive() {
  driving_ = true;
  moved_ = 0;
  Step next = Step::kOn;
  // The seam: whatever throws below (memory) ends this connection alone.
  try {
    while (next == Step::kOn) {
      if (moved_ >= server_.limits_.turn_bytes) {
        server_.loop_.again(*this);
        break;
      }
      next = step();
    }
    park();
    if (!count_unsent()) next = Step::kGone;
  } catch (const std::exception&) {
    next = Step::kGone;
  }
  driving_ = false;
  if (next == Step::kGone) return server_.remove(*this);
  arm();
}

Connection::Step Connection::step() {
  switch (phase_) {
    case Phase::kHandshake:
      return Step::kWait;
    case Phase::kHead:
      return read_head();
    case Phase::kBody:
      return read_body();
    case Phase::kWaiting:
      return watch_client();
    case Phase::kSending:
      return go_on_sending();
    case Phase::kLingering:
      return discard();
    case Phase::kGone:
      return Step::kGone;
  }
  return Step::kGone;
}

// Enters the deadline of the phase that we now wait in, unless it is running already.
void Connection::arm() {
  Wait wait = Wait::kHandshake;
  switch (phase_) {
    case Phase::kHandshake:
      break;
    case Phase::kHead:
      // So empty lines, whole or in pieces, renew nobody's patience.
      wait = nothing_yet() ? Wait::kIdle : Wait::kHead;
      break;
    case Phase::kBody:
      wait = Wait::kBody;
      break;
    case Phase::kSending:
      wait = Wait::kSend;
      break;
    case Phase::kLingering:
      wait = Wait::kLinger;
      break;
    case Phase::kWaiting:
    case Phase::kGone:
      return deadline_.unlink();
  }
  if (deadline_.is_linked() && deadline_.wait == wait) return;
  window_bytes_ = 0;
  server_.enter(deadline_, wait);
}

void Connection::expired() {
  const Wait wait = deadline_.wait;
  deadline_.unlink();
  const HttpLimits& limits = server_.limits_;
  const bool paced = wait == Wait::kBody || wait == Wait::kSend;
  const bool in_time = wait == Wait::kSend || server_.loop_.now() - body_began_ < limits.body;
  if (paced && in_time && window_bytes_ >= limits.rate_bytes) return arm();
  ++server_.counters_.timed_out;
  if (wait == Wait::kIdle) return dismiss();
  if (wait != Wait::kHead && wait != Wait::kBody) return server_.remove(*this);
  if (wait == Wait::kHead) {
    refuse_head({.status = 408, .text = "the request head did not arrive in time"});
    return drive();
  }
  refuse({.status = 408,
          .text = formatted("the body arrived too slowly; {} bytes in {} s are needed",
                            limits.rate_bytes,
                            std::chrono::duration<double>(limits.rate_window).count())},
         true);
  drive();
}

void Connection::dismiss() {
  tls_->close_output();
  tls_->flush();
  server_.remove(*this);
}

Connection::Step Connection::refuse(const Refusal& refusal, bool last) {
  last_ = last_ || last;
  ++server_.counters_.refused;
  const std::string document = error_document(refusal.text);
  const Bytes body = bytes_of(std::string_view(document));
  send({.status = refusal.status,
        .allow = refusal.allow,
        .retry_after_s = refusal.retry_after_s,
        .body = {&body, 1}});
  return Step::kOn;
}

// What cannot be read as a request says nothing about how it wants its answer.
Connection::Step Connection::refuse_head(const Refusal& refusal) {
  head_ = RequestHead();
  head_only_ = false;
  return refuse(refusal, true);
}

bool Connection::answer(uint32_t, const Response& response) {
  if (!send(response)) return false;
  if (driving_) return true;  // serve() answered at once; drive() goes on from here
  if (!count_unsent()) phase_ = Phase::kGone;
  if (phase_ != Phase::kHead || readable_ || client_done_ || !input_.empty())
    server_.loop_.again(*this);
  arm();
  return true;
}

void Connection::answer(uint32_t turn, const Refusal& refusal) {
  const std::string document = error_document(refusal.text);
  const Bytes body = bytes_of(std::string_view(document));
  answer(turn, Response{.status = refusal.status,
                        .allow = refusal.allow,
                        .retry_after_s = refusal.retry_after_s,
                        .body = {&body, 1}});
}

void Connection::cancel(Service& service) {
  if (phase_ == Phase::kWaiting) service.cancelled(call());
}

void Connection::abandon() {
  phase_ = Phase::kGone;
  if (!driving_) server_.loop_.again(*this);
}

// Writes the first record into the server's buffer: the head and as much of the body as fits. `cut`
// is what did not fit of a piece; the pieces behind it are returned.
std::span<const Bytes> Connection::first_record(const Response& response, Bytes& cut) {
  std::string& text = server_.text_;
  text.clear();
  uint64_t size = 0;
  for (const Bytes piece : response.body) size += piece.size();
  append_response_head(text, response, size, server_.date(), last_, head_.old_version);
  std::span<const Bytes> pieces = response.body;
  if (head_only_) pieces = {};
  if (pieces.empty() || text.size() >= kOneRecord) return pieces;
  while (!pieces.empty() && text.size() + pieces.front().size() <= kOneRecord) {
    text += text_of(pieces.front());
    pieces = pieces.subspan(1);
  }
  if (pieces.empty()) return pieces;
  cut = pieces.front().subspan(kOneRecord - text.size());
  text += text_of(pieces.front().first(kOneRecord - text.size()));
  return pieces.subspan(1);
}

// Sends what the socket takes, keeps a copy of the rest, and enters the phase that follows. False,
// with nothing done, when what was to be sent has vanished.
bool Connection::send(const Response& response) {
  Bytes cut;
  const std::span<const Bytes> pieces = first_record(response, cut);
  if (response.origin != nullptr && response.origin->failed()) return false;
  body_ = Body();
  chunks_.reset();
  inflater_.reset();
  verdict_.reset();
  phase_ = Phase::kSending;
  if (tls_->write(bytes_of(std::string_view(server_.text_))) != TlsStream::State::kDone) {
    phase_ = Phase::kGone;
    return true;
  }
  bool taken = send_piece(cut, response.origin);
  for (const Bytes piece : pieces) taken = send_piece(piece, response.origin) && taken;
  if (phase_ != Phase::kSending) return true;
  const TlsStream::State flushed = tls_->flush();
  if (flushed == TlsStream::State::kFailed) {
    phase_ = Phase::kGone;
  } else if (flushed == TlsStream::State::kDone && taken && !last_) {
    finish();
  }
  return true;
}

// True when what was just read may be zeros instead of an answer, part of which has left already:
// then nothing more may leave, and the client sees a connection that broke.
bool Connection::torn(const Origin* origin) {
  if (origin == nullptr || !origin->failed()) return false;
  tls_->discard();
  phase_ = Phase::kGone;
  return true;
}

// False when some of `piece` had to be kept: all of it, where what is encrypted already waits for
// the client.
bool Connection::send_piece(Bytes piece, const Origin* origin) {
  while (!piece.empty() && rest_.empty() && tls_->unsent() == 0 && phase_ == Phase::kSending) {
    const size_t size = std::min(piece.size(), kSendStep);
    if (tls_->write(piece.first(size)) != TlsStream::State::kDone) {
      phase_ = Phase::kGone;
      return false;
    }
    if (torn(origin)) return false;
    piece = piece.subspan(size);
    const TlsStream::State flushed = tls_->flush();
    if (flushed == TlsStream::State::kFailed) phase_ = Phase::kGone;
    if (flushed == TlsStream::State::kWaitWrite) break;
  }
  if (piece.empty() || phase_ != Phase::kSending) return piece.empty();
  if (!rest_share_.take(server_.budget_, piece.size(), piece.size())) {
    phase_ = Phase::kGone;
    return false;
  }
  rest_.insert(rest_.end(), piece.begin(), piece.end());
  (void)torn(origin);
  return false;
}

// At once: the turn may be over, and what comes next is another connection's.
Connection::Step Connection::flush_now() {
  switch (tls_->flush()) {
    case TlsStream::State::kDone:
      return Step::kOn;
    case TlsStream::State::kWaitWrite:
      return Step::kWait;
    default:
      return Step::kGone;
  }
}

Connection::Step Connection::go_on_sending() {
  const TlsStream::State flushed = tls_->flush();
  if (flushed == TlsStream::State::kWaitWrite) return Step::kWait;
  if (flushed == TlsStream::State::kFailed) return Step::kGone;
  if (rest_at_ < rest_.size()) {
    const size_t size = std::min(rest_.size() - rest_at_, kSendStep);
    if (tls_->write(Bytes(rest_).subspan(rest_at_, size)) != TlsStream::State::kDone)
      return Step::kGone;
    rest_at_ += size;
    window_bytes_ += size;
    moved_ += size;
    return flush_now();
  }
  if (!last_) {
    finish();
    return Step::kOn;
  }
  if (!said_goodbye_) {
    said_goodbye_ = true;
    tls_->close_output();
    return flush_now();
  }
  // With what the client still sends unread, closing would reset the connection and could take our
  // answer from it: so we listen a little longer.
  ::shutdown(socket(), SHUT_WR);
  phase_ = Phase::kLingering;
  return Step::kOn;
}

// Counts what waits for the socket; false when there is no memory for it. That it is counted behind
// its making is soon enough: one connection at a time is driven, and makes 96 KiB at most.
bool Connection::count_unsent() {
  unsent_share_ = Share();
  const size_t unsent = tls_->unsent();
  return unsent == 0 || unsent_share_.take(server_.budget_, unsent, unsent);
}

// The answer is out and another request may follow.
void Connection::finish() {
  if (!rest_.empty()) {
    std::vector<uint8_t>().swap(rest_);
    rest_at_ = 0;
    rest_share_ = Share();
  }
  phase_ = Phase::kHead;
}

Connection::Step Connection::discard() {
  const ssize_t got = ::recv(socket(), server_.plain_.data(), server_.plain_.size(), MSG_DONTWAIT);
  if (got > 0) {
    moved_ += static_cast<uint64_t>(got);
    return Step::kOn;
  }
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? Step::kWait : Step::kGone;
}

}  // namespace casemate::gateway
