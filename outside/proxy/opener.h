// SPDX-License-Identifier: Apache-2.0
#pragma once
// Opener: opens verified connections on a thread of its own, so that no client waits for another's
// handshake. It also looks at the server again when the verdict is due.
//
//   Owns     the gate and the thread.
//   Threads  ask(), withdraw(), take() and bell() are the loop's; the gate is the thread's alone.
//   Trust    as the gate.
//   Fails    through what take() returns.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "outside/proxy/gate.h"

namespace casemate::proxy {

class Opener final {
 public:
  struct Opened {
    uint64_t ticket = 0;
    client::Protocol protocol = client::Protocol::kHttp1;
    std::expected<client::Channel, Refusal> channel;
  };
  struct News {
    // The server did not pass, or is another now: whoever is connected must go. What is in `opened`
    // was opened after that.
    bool revoked = false;
    std::vector<Opened> opened;  // or refused
  };

  static Result<std::unique_ptr<Opener>> make(GateOptions options, Gate::Tell tell);
  ~Opener();
  Opener(const Opener&) = delete;
  Opener& operator=(const Opener&) = delete;

  void ask(uint64_t ticket, client::Protocol protocol);
  // Nobody waits for this ticket any more.
  void withdraw(uint64_t ticket);
  // What has happened since the last time.
  News take();
  // A descriptor that becomes readable when take() has news; edge-triggered.
  [[nodiscard]] int bell() const { return bell_.number(); }

 private:
  struct Order {
    uint64_t ticket;
    client::Protocol protocol;
  };
  Opener(GateOptions options, Gate::Tell tell, Fd bell)
      : gate_(std::move(options), std::move(tell)), bell_(std::move(bell)) {}
  void run();
  void take_back();
  void ring() const;

  Gate gate_;
  Fd bell_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<Order> orders_;
  News ready_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace casemate::proxy
