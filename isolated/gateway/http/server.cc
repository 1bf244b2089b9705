// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "isolated/gateway/http/connection.h"
#include "isolated/gateway/http/http2_connection.h"
#include "isolated/gateway/http/response_head.h"

namespace casemate::gateway {
namespace {

// One TLS record's plaintext (RFC 8446, section 5.1).
constexpr size_t kRecord = 16 << 10;
// New connections per turn; behind them the others get theirs.
constexpr int kAcceptsPerTurn = 64;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

Server::Server(Loop& loop, Fd listener, TlsContext tls, Service& service, const HttpLimits& limits)
    : loop_(loop),
      listener_(std::move(listener)),
      tls_(std::move(tls)),
      service_(service),
      limits_(limits),
      budget_(limits.buffered_bytes),
      deadlines_({limits.handshake, limits.idle, limits.head, limits.rate_window,
                  limits.rate_window, limits.linger}),
      expiry_(loop, [this] { expire(); }),
      accept_again_(loop, [this] { accept_some(); }),
      plain_(kRecord) {}

Result<std::unique_ptr<Server>> Server::make(Loop& loop, Fd listener, TlsContext tls,
                                             Service& service, const HttpLimits& limits) {
  std::unique_ptr<Server> server(
      new Server(loop, std::move(listener), std::move(tls), service, limits));
  TRY(loop.watch(server->listener_.number(), EPOLLIN, *server));
  return server;
}

Server::~Server() {
  stop_accepting();
  for (auto& connection : connections_) {
    if (connection == nullptr) continue;
    loop_.forget(connection->socket(), *connection);
    // The service holds bodies that count against our budget.
    connection->cancel(service_);
  }
}

void Server::stop_accepting() {
  if (!listener_.valid()) return;
  loop_.forget(listener_.number(), *this);
  listener_.reset();
  accept_again_.clear();
}

void Server::ready(uint32_t events) {
  if (events != 0) acceptable_ = true;
  run_handshakes();
  if (acceptable_ && listener_.valid()) accept_some();
}

void Server::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && listener_.valid(); ++i) {
    Fd socket(::accept4(listener_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      adopt(std::move(socket));
      continue;
    }
    switch (errno) {
      case EAGAIN:
        acceptable_ = false;
        return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        // The queue stays full and says so no second time: look again a little later. A connection
        // that waits for nothing gives its descriptor to one that wants something.
        make_room();
        accept_again_.set(loop_.now() + kAcceptPause);
        return;
      default:
        break;  // a client that has gone already
    }
  }
  loop_.again(*this);
}

void Server::adopt(Fd socket) {
  if (counters_.connections >= limits_.connections && !make_room()) {
    ++counters_.turned_away;
    return;
  }
  const int on = 1;
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto tls = TlsStream::accept(tls_, std::move(socket), tls_output_);
  if (tls == nullptr) {
    // OpenSSL's heap is full: whoever waits for nothing makes room for the next client.
    ++counters_.turned_away;
    make_room();
    return;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(connections_.size()));
    connections_.emplace_back();
    turns_.push_back(0);
  }
  const uint32_t place = free_.back();
  auto connection = std::make_unique<Connection>(*this, place, std::move(tls));
  if (!loop_.watch(connection->socket(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, *connection)) return;
  free_.pop_back();
  ++counters_.accepted;
  ++counters_.connections;
  enter(connection->deadline(), Wait::kHandshake);
  connections_[place] = std::move(connection);
}

// Closes the connection that has been idle longest. An idle client of HTTP/1.1 must expect that.
bool Server::make_room() {
  Deadline* idlest = deadlines_.first(Wait::kIdle);
  if (idlest == nullptr) return false;
  static_cast<ClientConnection::Timed*>(idlest)->connection.dismiss();
  return true;
}

void Server::queue_handshake(Connection& connection) {
  if (std::exchange(connection.queued_, true)) return;
  handshakes_.push_back(&connection);
  loop_.again(*this);
}

void Server::run_handshakes() {
  for (uint32_t i = 0; i < limits_.handshakes_per_round && !handshakes_.empty(); ++i) {
    Connection* connection = handshakes_.front();
    handshakes_.pop_front();
    connection->queued_ = false;
    connection->shake_hands();
  }
  if (!handshakes_.empty()) loop_.again(*this);
}

void Server::enter(Deadline& deadline, Wait wait) {
  deadlines_.enter(deadline, wait, loop_.now());
  if (deadline.due < expiry_.due()) expiry_.set(deadline.due);
}

void Server::expire() {
  for (size_t i = 0; i < kWaits; ++i) {
    const Wait wait = static_cast<Wait>(i);
    for (;;) {
      Deadline* first = deadlines_.first(wait);
      if (first == nullptr || first->due > loop_.now()) break;
      first->expired();
    }
  }
  const Instant next = deadlines_.next();
  if (next < expiry_.due()) expiry_.set(next);
}

ClientConnection* Server::find(CallId call) {
  if (call.connection >= connections_.size()) return nullptr;
  ClientConnection* connection = connections_[call.connection].get();
  return connection != nullptr && connection->waits(call.turn) ? connection : nullptr;
}

bool Server::answer(CallId call, const Response& response) {
  ClientConnection* connection = find(call);
  if (connection == nullptr) return true;
  // The seam: without memory for the answer its connection ends, and nobody else's.
  try {
    return connection->answer(call.turn, response);
  } catch (const std::exception&) {
    connection->abandon();
    return true;
  }
}

void Server::answer(CallId call, const Refusal& refusal) {
  ClientConnection* connection = find(call);
  if (connection == nullptr) return;
  try {
    connection->answer(call.turn, refusal);
  } catch (const std::exception&) {
    connection->abandon();
  }
}

Result<SessionBinding> Server::binding(CallId call) {
  const ClientConnection* connection = find(call);
  if (connection == nullptr) return Error{Code::kCancelled, "the client has gone"};
  return connection->binding();
}

// The handshake is over and its client speaks HTTP/2: another kind of connection takes its place.
void Server::upgrade(Connection& connection) {
  const uint32_t place = connection.place();
  loop_.forget(connection.socket(), connection);
  // The seam: a client for whom there is no memory goes.
  std::unique_ptr<Http2Connection> next;
  try {
    next = Http2Connection::make(*this, place, connection.tls_);
  } catch (const std::exception&) {
  }
  if (next == nullptr) return remove(connection);
  Http2Connection& grown = *next;
  connections_[place] = std::move(next);
  if (!loop_.watch(grown.socket(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, grown)) return remove(grown);
  grown.begin();
}

void Server::remove(ClientConnection& connection) {
  const uint32_t place = connection.place();
  const std::unique_ptr<ClientConnection> last = std::move(connections_[place]);
  CHECK(last.get() == &connection, "a connection lives at its place");
  if (connection.queued_) std::erase(handshakes_, &connection);
  loop_.forget(connection.socket(), connection);
  free_.push_back(place);
  --counters_.connections;
  // The place is free before the service hears of it: whatever it does, it cannot reach the client.
  connection.cancel(service_);
}

const std::string& Server::date() {
  const int64_t now = loop_.clock().unix_seconds();
  if (now != std::exchange(date_unix_, now)) date_ = http_date(now);
  return date_;
}

ServerCounters Server::counters() const {
  ServerCounters counters = counters_;
  counters.buffered_bytes = budget_.used();
  return counters;
}

}  // namespace casemate::gateway
