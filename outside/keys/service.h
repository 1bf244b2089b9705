// SPDX-License-Identifier: Apache-2.0
#pragma once
// Service: the key release service on a socket.
//
//   GET  /v1/nonce   32 bytes, good for one key within a minute
//   POST /v1/keys    KeyRequest and evidence (wire/sealed/release.h); 200 and a WrappedKey, or 403
//                    and one line that says why not
//
// One thread has all connections and waits for none of them; another decides, one request after the
// other. So who is slow, silent or never pauses costs a place, for a short time, and of places one
// peer has only a few.
//
//   Owns     the listening socket, connections and threads.
//   Threads  two of its own.
//   Trust    whoever connects may be anybody.
//   Fails    answers with a status; nothing that a client does ends it.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "outside/keys/http.h"
#include "outside/keys/keeper.h"

namespace casemate::keys {

class Service final {
 public:
  // A request takes a few milliseconds; each may have kMessageBytes in memory.
  static constexpr size_t kConnections = 256;
  // Of one address, of IPv6 one /64: what anybody has by himself. Beyond, they are closed.
  static constexpr size_t kPerPeer = 8;
  // Until the first byte, from then until the head is whole, and until all of a request is.
  static constexpr std::chrono::milliseconds kFirstByte{1000};
  static constexpr std::chrono::milliseconds kHead{1000};
  static constexpr std::chrono::milliseconds kPatience{5000};
  // For taking the answer and closing.
  static constexpr std::chrono::milliseconds kEnd{500};

  // Requires: `keeper` is used by nobody else meanwhile.
  Service(Fd listener, Keeper& keeper, Clock& clock);
  // Closes all connections; waits for a decision that is under way.
  ~Service();
  Service(const Service&) = delete;

 private:
  struct Connection;
  struct Asked {
    uint64_t connection = 0;
    HttpRequest request;
  };
  struct Decided {
    uint64_t connection = 0;
    HttpAnswer answer;
  };

  void serve(const std::stop_token& stop);
  void wait();
  void accept_some();
  void forget_over();
  void go_on(Connection& connection);
  void read(Connection& connection);
  void answer(Connection& connection, const HttpAnswer& said);
  void give_up(Connection& connection);
  void take_decided();
  void take_failed(uint64_t number, const Text<128>& why);
  [[nodiscard]] int wait_ms() const;
  [[nodiscard]] client::Deadline in(Duration time) const { return {clock_, time}; }

  void decide(const std::stop_token& stop);
  HttpAnswer decision_on(const HttpRequest& request);
  void ring();

  Fd listener_;
  Keeper& keeper_;
  Clock& clock_;
  Fd bell_;  // wakes the thread that has the connections
  std::vector<std::unique_ptr<Connection>> connections_;
  uint64_t next_ = 0;
  client::Deadline rest_;  // nobody is accepted until then

  std::mutex lock_;
  std::condition_variable_any changed_;
  std::deque<Asked> asked_;       // under lock_
  std::vector<Decided> decided_;  // under lock_
  // Under lock_: of the request whose decision ended in an exception, and why; 0: none. Without
  // memory the deciding thread makes no answer, and waits until the other has.
  uint64_t failed_ = 0;
  Text<128> failure_{};

  std::jthread serving_;
  std::jthread deciding_;
};

}  // namespace casemate::keys
