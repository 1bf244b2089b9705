// SPDX-License-Identifier: Apache-2.0
#pragma once
// Backlog: requests whose text takes long to read, of which each round of the loop reads one.
// Whoever else is ready, the monitor with its pings above all, gets a turn in between.
//
//   small:  admits() -> read at once          large:  add() -> the end of a later round -> Serve
//
// Connections take turns, so that a client with many such requests delays its own.
//
//   Owns     the requests that wait, with their bodies.
//   Threads  one, the loop's.
//   Trust    sizes are a client's. What waits is bounded by the memory for bodies.
//   Fails    never.

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "isolated/gateway/http/loop.h"
#include "isolated/gateway/http/message.h"

namespace casemate::gateway {

class Backlog final {
 public:
  // Text of one request that is read at once: 1.3 ms at the 50 MB/s of JSON.
  static constexpr uint64_t kAtOnce = 64 << 10;
  // Of all requests of one round: 20 ms. Bodies of a hundred streams may end in one record.
  static constexpr uint64_t kPerRound = 1 << 20;

  using Serve = std::function<void(CallId call, Request request)>;
  Backlog(Loop& loop, Serve serve);

  // Whether a request with that much text may be read in this round; if so it counts.
  bool admits(uint64_t text_bytes);
  // Keeps it for the next round that has time.
  void add(CallId call, const Request& head, Body body);
  // True when it was waiting here; it is forgotten.
  bool cancel(CallId call) { return waiting_.erase(call) != 0; }

 private:
  struct Waiting {
    // What a request's views point to is gone when it is read.
    std::string target;
    std::optional<std::string> header_length;
    Request request;
  };
  void run();

  Loop& loop_;
  Serve serve_;
  std::map<CallId, Waiting> waiting_;
  uint32_t last_ = 0;  // the connection whose turn it was
  Instant round_{};
  uint64_t round_bytes_ = 0;
  Loop::Timer turn_;
};

}  // namespace casemate::gateway
