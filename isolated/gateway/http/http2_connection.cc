// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/http2_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "isolated/gateway/http/http2_stream.h"

namespace casemate::gateway {
namespace {

// From here on a copy costs more than a record of its own.
constexpr size_t kStagedMax = 4 << 10;

}  // namespace

std::unique_ptr<Http2Connection> Http2Connection::make(Server& server, uint32_t place,
                                                       std::unique_ptr<TlsStream>& tls) {
  std::unique_ptr<Http2Connection> made(new Http2Connection(server, place));
  made->session_ = Http2Session::make(*made, server.limits_);
  if (made->session_ == nullptr) return nullptr;
  made->tls_ = std::move(tls);
  return made;
}

Http2Connection::~Http2Connection() = default;

void Http2Connection::begin() { drive(); }

void Http2Connection::ready(uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if (const size_t before = tls_->unsent(); before > 0) {
    if (tls_->flush() == TlsStream::State::kFailed) broken_ = true;
    window_bytes_ += before;
  }
  drive();
}

void Http2Connection::drive() {
  driving_ = true;
  moved_ = 0;
  bool alive = false;
  // The seam: whatever throws below (memory) ends this connection alone.
  try {
    alive = go_on() && count_unsent();
  } catch (const std::exception&) {
  }
  driving_ = false;
  if (!alive) return server_.remove(*this);
  arm();
}

// False when it is over.
bool Http2Connection::go_on() {
  for (;;) {
    if (broken_) return false;
    if (lingering_) return discard();
    if (!pump()) return false;
    if (tls_->unsent() > 0) return true;
    if (session_->done() || (client_done_ && streams_.empty())) return say_goodbye();
    if (!readable_ || client_done_) return true;
    if (moved_ >= server_.limits_.turn_bytes) {
      server_.loop_.again(*this);
      return true;
    }
    if (!read_some()) return false;
  }
}

// One record; false when the client has gone.
bool Http2Connection::read_some() {
  const TlsStream::Moved moved = tls_->read(server_.plain_);
  switch (moved.state) {
    case TlsStream::State::kDone:
      moved_ += moved.bytes + (moved.bytes == 0 ? Cost::kEmptyRead : Cost::kRead);
      readable_ = tls_->more() || hung_up_;
      break;
    case TlsStream::State::kWaitRead:
    case TlsStream::State::kWaitWrite:
      readable_ = false;
      return true;
    case TlsStream::State::kClosed:
      client_done_ = true;
      readable_ = false;
      return true;
    case TlsStream::State::kFailed:
      return false;
  }
  if (session_->feed(Bytes(server_.plain_).first(moved.bytes))) return true;
  // What nghttp2 has to say about that, if it has, is the last that the client hears.
  session_->finish();
  return pump() && say_goodbye();
}

void Http2Connection::send(Bytes bytes) {
  pending_ += bytes.size();
  std::string& staged = server_.text_;
  if (bytes.size() < kStagedMax) {
    staged += text_of(bytes);
    if (staged.size() >= 2 * kStagedMax) write_staged();
    return;
  }
  write_staged();
  if (tls_->write(bytes) != TlsStream::State::kDone) broken_ = true;
}

void Http2Connection::write_staged() {
  std::string& staged = server_.text_;
  if (tls_->write(bytes_of(std::string_view(staged))) != TlsStream::State::kDone) broken_ = true;
  staged.clear();
}

// Sends what may be sent and the socket takes; false when the connection is over.
bool Http2Connection::pump() {
  while (tls_->unsent() == 0) {
    pending_ = 0;
    server_.text_.clear();
    const bool sound = session_->pull(*this);
    write_staged();
    if (tls_->flush() == TlsStream::State::kFailed || broken_ || !sound) return false;
    window_bytes_ += pending_;
    if (pending_ < kFlushStep) return true;
  }
  return true;
}

// Closing with what the client still sends unread would reset the connection and could take our
// last words from it.
bool Http2Connection::say_goodbye() {
  tls_->close_output();
  if (tls_->flush() == TlsStream::State::kFailed) return false;
  ::shutdown(socket(), SHUT_WR);
  lingering_ = true;
  return discard();
}

bool Http2Connection::discard() {
  for (;;) {
    const ssize_t got =
        ::recv(socket(), server_.plain_.data(), server_.plain_.size(), MSG_DONTWAIT);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
    moved_ += static_cast<uint64_t>(got);
    if (moved_ < server_.limits_.turn_bytes) continue;
    server_.loop_.again(*this);
    return true;
  }
}

// An answer came while nobody drives.
void Http2Connection::answered_outside() {
  if (driving_) return;
  driving_ = true;
  if (!pump() || !count_unsent()) broken_ = true;
  driving_ = false;
  if (broken_ || session_->done() || (client_done_ && streams_.empty()) || readable_)
    server_.loop_.again(*this);
  arm();
}

bool Http2Connection::count_unsent() {
  unsent_share_ = Share();
  const size_t unsent = tls_->unsent();
  return unsent == 0 || unsent_share_.take(server_.budget_, unsent, unsent);
}

// The deadline of the connection as a whole; each stream has its own.
void Http2Connection::arm() {
  if (broken_) return;
  Wait wait = Wait::kIdle;
  if (lingering_) {
    wait = Wait::kLinger;
  } else if (tls_->unsent() > 0) {
    wait = Wait::kSend;
  } else if (!streams_.empty()) {
    return deadline_.unlink();
  }
  if (deadline_.is_linked() && deadline_.wait == wait) return;
  window_bytes_ = 0;
  server_.enter(deadline_, wait);
}

void Http2Connection::expired() {
  const Wait wait = deadline_.wait;
  deadline_.unlink();
  if (wait == Wait::kSend && window_bytes_ >= server_.limits_.rate_bytes) return arm();
  ++server_.counters_.timed_out;
  if (wait == Wait::kIdle) return dismiss();
  server_.remove(*this);
}

void Http2Connection::dismiss() {
  session_->finish();
  if (pump()) {
    tls_->close_output();
    tls_->flush();
  }
  server_.remove(*this);
}

void Http2Connection::abandon() {
  broken_ = true;
  if (!driving_) server_.loop_.again(*this);
}

void Http2Connection::cancel(Service& service) {
  for (const auto& [id, stream] : streams_)
    if (stream->phase == Phase::kWaiting) service.cancelled({place_, stream->turn});
}

}  // namespace casemate::gateway
