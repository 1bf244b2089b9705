// SPDX-License-Identifier: Apache-2.0
#pragma once
// Server: HTTP/1.1 and HTTP/2, whichever a client's handshake chooses, over TLS 1.3 on one
// listening socket.
//
// A connection is read only as long as there is use for what it says: one request at a time, its
// body into memory that is counted, the next request only after the answer. A client that closes
// without TLS's close_notify while it waits has gone, and its request is cancelled; one that sends
// close_notify has only finished sending, and gets its answer.
//
//   Owns     the listening socket and every connection.
//   Threads  one, the loop's.
//   Trust    clients may send anything, at any speed, or nothing: HttpLimits bounds what they cost.
//            Nothing that they send is logged.
//   Fails    make() with kPlatform. Afterwards a connection may fail, the server does not: without
//            descriptors or memory it stops accepting for a tenth of a second at a time.

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "isolated/gateway/http/deadlines.h"
#include "isolated/gateway/http/limits.h"
#include "isolated/gateway/http/loop.h"
#include "isolated/gateway/http/message.h"
#include "isolated/gateway/http/tls.h"

namespace casemate::gateway {

class ClientConnection;
class Connection;

struct ServerCounters {
  uint64_t connections = 0;  // open now
  uint64_t accepted = 0;
  uint64_t turned_away = 0;  // closed because there were too many
  uint64_t timed_out = 0;
  uint64_t handshakes_failed = 0;
  uint64_t requests = 0;
  uint64_t refused = 0;  // requests that never reached the service
  uint64_t buffered_bytes = 0;
};

class Server final : public Watcher {
 public:
  // Requires: `listener` is bound, listening and non-blocking; loop and service outlive the server.
  static Result<std::unique_ptr<Server>> make(Loop& loop, Fd listener, TlsContext tls,
                                              Service& service, const HttpLimits& limits);
  // Cancels every call that has no answer.
  ~Server();

  // Answers a call that serve() was given. The response's memory may be reused as soon as this
  // returns: what the socket did not take is copied. Does nothing for a call that is over. False
  // when the response's origin had failed before any of it left: the call still waits. When it
  // fails later, the connection ends in the middle of the answer.
  bool answer(CallId call, const Response& response);
  void answer(CallId call, const Refusal& refusal);
  // Of the connection on which the call came; kCancelled when that is over.
  [[nodiscard]] Result<SessionBinding> binding(CallId call);
  // For connections from now on, such as a certificate with newer evidence.
  void present(TlsContext tls) { tls_ = std::move(tls); }
  // Takes no more connections; those that exist go on.
  void stop_accepting();

  [[nodiscard]] ServerCounters counters() const;

 private:
  friend class Connection;
  friend class Http2Connection;
  Server(Loop& loop, Fd listener, TlsContext tls, Service& service, const HttpLimits& limits);
  void ready(uint32_t events) override;
  void accept_some();
  void adopt(Fd socket);
  bool make_room();
  void queue_handshake(Connection& connection);
  void run_handshakes();
  void enter(Deadline& deadline, Wait wait);
  void expire();
  ClientConnection* find(CallId call);
  void upgrade(Connection& connection);
  void remove(ClientConnection& connection);
  const std::string& date();

  Loop& loop_;
  Fd listener_;
  TlsContext tls_;
  Service& service_;
  const HttpLimits limits_;
  Budget budget_;
  DeadlineLists deadlines_;
  Loop::Timer expiry_;
  Loop::Timer accept_again_;
  bool acceptable_ = false;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  std::vector<uint32_t> turns_;  // of each place in connections_: requests that it has had
  std::vector<uint32_t> free_;
  std::deque<Connection*> handshakes_;  // waiting for their turn, first come first served
  // Of whoever is being served; one thread, so one of each is enough.
  TlsOutput tls_output_;
  std::vector<uint8_t> plain_;
  std::string text_;
  std::string date_;
  int64_t date_unix_ = 0;
  ServerCounters counters_;
};

}  // namespace casemate::gateway
