// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClientConnection: what a Server knows of a client, whichever version of HTTP it speaks.
//
//   Owns     its socket, its place in the server's table, and what its requests hold.
//   Threads  one, the server's.
//   Trust    none in its client.
//   Fails    by going away: it then has the server destroy it.

#include <memory>

#include "isolated/gateway/http/server.h"

namespace casemate::gateway {

// Work beyond the bytes that a turn counts.
struct Cost {
  // So that a burst of tiny requests ends a turn as well.
  static constexpr uint64_t kRequest = 4 << 10;
  // Records may be tiny. One that brings nothing may be a key update, which derives keys and is
  // answered.
  static constexpr uint64_t kRead = 1 << 10;
  static constexpr uint64_t kEmptyRead = 4 << 10;
};

class ClientConnection : public Watcher {
 public:
  virtual ~ClientConnection() = default;
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Whether that request has no answer yet.
  [[nodiscard]] virtual bool waits(uint32_t turn) const = 0;
  // Requires: waits(turn). False, with nothing done, when the response's origin has failed.
  virtual bool answer(uint32_t turn, const Response& response) = 0;
  virtual void answer(uint32_t turn, const Refusal& refusal) = 0;
  // Tells the service of every request that has no answer yet. Requires: it is being removed.
  virtual void cancel(Service& service) = 0;
  // Ends it in its next turn, with no further word.
  virtual void abandon() = 0;
  // Its deadline has passed.
  virtual void expired() = 0;
  // Closes an idle connection to make room.
  virtual void dismiss() = 0;

  [[nodiscard]] uint32_t place() const { return place_; }
  [[nodiscard]] int socket() const { return tls_->socket(); }
  [[nodiscard]] Result<SessionBinding> binding() const { return tls_->binding(); }
  Deadline& deadline() { return deadline_; }

 protected:
  ClientConnection(Server& server, uint32_t place, std::unique_ptr<TlsStream> tls)
      : server_(server), place_(place), tls_(std::move(tls)), deadline_(*this) {}

  // Of the connection as a whole; the only kind that waits for Wait::kIdle.
  struct Timed final : Deadline {
    explicit Timed(ClientConnection& c) : connection(c) {}
    void expired() override { connection.expired(); }
    ClientConnection& connection;
  };
  friend class Server;

  Server& server_;
  const uint32_t place_;
  std::unique_ptr<TlsStream> tls_;
  Timed deadline_;
  bool queued_ = false;  // for a step of its handshake
};

}  // namespace casemate::gateway
