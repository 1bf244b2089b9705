// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/tunnel.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/format.h"

namespace casemate::proxy {
namespace {

// RFC 9113, section 3.4.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr Instant kNever = Instant::max();
// Moved in one turn before the others get theirs.
constexpr size_t kTurn = 1 << 20;

Instant now() { return system_clock().now(); }

}  // namespace

Tunnel::Tunnel(Proxy& proxy, uint64_t number, Fd client)
    : proxy_(proxy),
      number_(number),
      client_(std::move(client)),
      due_(now() + proxy.limits_.patience) {}

// Nobody waits any longer for what was ordered.
Tunnel::~Tunnel() {
  if (waiting()) proxy_.opener_->withdraw(number_);
}

bool Tunnel::drive() {
  switch (phase_) {
    case Phase::kFirstBytes:
      return read_first();
    case Phase::kOpening:
      return go_on_waiting();
    case Phase::kForwarding:
      return forward();
    case Phase::kRefusing:
      return go_on_refusing();
    case Phase::kLingering:
      return linger();
  }
  return false;
}

// Looks at the first bytes and leaves them where they are.
bool Tunnel::read_first() {
  std::array<char, kPreface.size()> bytes{};
  const ssize_t got = ::recv(client_.number(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  const std::string_view first(bytes.data(), static_cast<size_t>(got));
  const bool preface = kPreface.starts_with(first);
  if (preface && first.size() < kPreface.size()) return true;
  protocol_ = preface ? client::Protocol::kHttp2 : client::Protocol::kHttp1;
  head_only_ = first.starts_with("HEAD ");
  phase_ = Phase::kOpening;
  due_ = kNever;  // the opener has deadlines of its own
  if (auto spare = proxy_.take_spare(protocol_, number_)) {
    connect(std::move(spare));
    return forward();
  }
  proxy_.opener_->ask(number_, protocol_);
  return go_on_waiting();
}

// Its first bytes stand in the socket unread, so no receive would say that a client has left. One
// that closed its half may have left or may wait for its answer: it is given a little time.
bool Tunnel::go_on_waiting() {
  if (client_half_closed_) due_ = std::min(due_, now() + proxy_.limits_.linger);
  return !client_gone_;
}

void Tunnel::connect(std::unique_ptr<Upstream> upstream) {
  upstream_ = std::move(upstream);
  phase_ = Phase::kForwarding;
  due_ = kNever;
}

void Tunnel::refuse(const Refusal& refusal) {
  phase_ = Phase::kRefusing;
  due_ = now() + proxy_.limits_.linger;
  const std::string document = document_of(refusal);
  if (protocol_ == client::Protocol::kHttp2) {
    refusal_ = Http2Refusal::make(line_of(refusal), document);
    return;
  }
  const std::string answer = formatted(
      "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      document.size(), head_only_ ? std::string() : document);
  const Bytes bytes = bytes_of(std::string_view(answer));
  rest_.assign(bytes.begin(), bytes.end());
}

// False when the client has gone.
bool Tunnel::send_rest() {
  while (rest_at_ < rest_.size()) {
    const ssize_t took = ::send(client_.number(), rest_.data() + rest_at_, rest_.size() - rest_at_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (took < 0 && errno == EINTR) continue;
    if (took < 0) return errno == EAGAIN || errno == ENOBUFS;
    rest_at_ += static_cast<size_t>(took);
  }
  std::vector<uint8_t>().swap(rest_);
  rest_at_ = 0;
  return true;
}

// From the client to the server.
bool Tunnel::up(size_t& moved) {
  if (upstream_->unsent() > 0 && upstream_->flush() == Upstream::State::kFailed) return false;
  while (client_readable_ && !client_done_ && upstream_->unsent() == 0 && moved < kTurn) {
    std::vector<uint8_t>& buffer = proxy_.buffer_;
    const ssize_t got = ::recv(client_.number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) return false;
    if (got <= 0) client_readable_ = false;
    if (got < 0) return true;
    if (got == 0) {
      client_done_ = true;
      return upstream_->close_output() != Upstream::State::kFailed;
    }
    // Less than was asked for: there is no more, and what comes is an event.
    client_readable_ = static_cast<size_t>(got) == buffer.size();
    moved += static_cast<size_t>(got);
    if (upstream_->write(Bytes(buffer).first(static_cast<size_t>(got))) == Upstream::State::kFailed)
      return false;
  }
  return true;
}

// From the server to the client.
bool Tunnel::down(size_t& moved) {
  if (!send_rest()) return false;
  while (server_readable_ && !server_done_ && rest_.empty() && moved < kTurn) {
    const auto [state, bytes] = upstream_->read(proxy_.buffer_);
    if (state == Upstream::State::kFailed) {
      // What was cut off must not look whole.
      reset_client();
      return false;
    }
    if (state == Upstream::State::kClosed) {
      server_done_ = true;
      break;
    }
    server_readable_ = upstream_->more();
    moved += bytes;
    Bytes left = Bytes(proxy_.buffer_).first(bytes);
    while (!left.empty()) {
      const ssize_t took =
          ::send(client_.number(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (took < 0 && errno == EINTR) continue;
      if (took < 0 && errno != EAGAIN && errno != ENOBUFS) return false;
      if (took < 0) break;
      left = left.subspan(static_cast<size_t>(took));
    }
    rest_.assign(left.begin(), left.end());
  }
  return true;
}

bool Tunnel::forward() {
  size_t moved = 0;
  if (!up(moved) || !down(moved)) return false;
  const bool owes = !rest_.empty() || upstream_->unsent() > 0;
  if (!owes) {
    due_ = kNever;
  } else if (due_ == kNever || moved > 0) {
    due_ = now() + proxy_.limits_.patience;
  }
  if (server_done_ && rest_.empty()) {
    phase_ = Phase::kLingering;
    upstream_.reset();
    due_ = now() + proxy_.limits_.linger;
    return linger();
  }
  if (moved >= kTurn) proxy_.again_.push_back(number_);
  return true;
}

bool Tunnel::go_on_refusing() {
  if (!send_rest()) return false;
  if (protocol_ == client::Protocol::kHttp1) {
    if (!rest_.empty()) return true;
    phase_ = Phase::kLingering;
    return linger();
  }
  if (refusal_ == nullptr) return false;
  while (client_readable_ && rest_.empty()) {
    const ssize_t got =
        ::recv(client_.number(), proxy_.buffer_.data(), proxy_.buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) client_readable_ = false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    const bool on = refusal_->feed(Bytes(proxy_.buffer_).first(static_cast<size_t>(got)), rest_);
    if (!send_rest()) return false;
    if (on) continue;
    phase_ = Phase::kLingering;
    return linger();
  }
  return true;
}

// With what the client still sends unread, closing would reset the connection and could take our
// answer from it: so we listen a little longer.
bool Tunnel::linger() {
  if (!send_rest()) return false;
  if (!rest_.empty()) return true;
  if (!std::exchange(shut_, true)) ::shutdown(client_.number(), SHUT_WR);
  for (size_t dropped = 0; dropped < kTurn;) {
    const ssize_t got =
        ::recv(client_.number(), proxy_.buffer_.data(), proxy_.buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
    dropped += static_cast<size_t>(got);
  }
  proxy_.again_.push_back(number_);
  return true;
}

void Tunnel::reset_client() const {
  const ::linger now{1, 0};
  ::setsockopt(client_.number(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace casemate::proxy
