// SPDX-License-Identifier: Apache-2.0
#pragma once
// Service: the key release service on a socket.
//
//   GET  /v1/nonce   32 bytes, good for one request within a minute
//   POST /v1/keys    KeyRequest and evidence (wire/sealed/release.h); 200 and a WrappedKey, or 403
//                    and one line that says why not
//
//   Owns     the listening socket and its threads.
//   Threads  a few, each with one connection; one at a time decides.
//   Trust    whoever connects may be anybody. A connection has a few seconds in all, so that slow
//            ones hold a thread no longer.
//   Fails    answers with a status; nothing that a client does ends it.

#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "outside/keys/http.h"
#include "outside/keys/keeper.h"

namespace casemate::keys {

class Service final {
 public:
  // Connections at once. A request takes a few milliseconds.
  static constexpr int kThreads = 16;
  static constexpr std::chrono::seconds kPatience{5};

  // Requires: `keeper` is used by nobody else meanwhile.
  Service(Fd listener, Keeper& keeper, Clock& clock);
  // Ends when all connections have.
  ~Service();
  Service(const Service&) = delete;

 private:
  void serve(const std::stop_token& stop);
  void serve_one(const Fd& connection);
  HttpAnswer answer(const HttpRequest& request);

  Fd listener_;
  Keeper& keeper_;
  Clock& clock_;
  std::mutex deciding_;
  std::vector<std::jthread> threads_;
};

}  // namespace casemate::keys
