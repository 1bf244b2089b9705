// SPDX-License-Identifier: Apache-2.0
#pragma once
// Proxy: plain HTTP/1.1 and HTTP/2 on one listening socket, a verified server behind it.
//
//   client -- TCP --> [first bytes say which HTTP] -- a verified connection of its own --> server
//
// Each client's connection has a connection of its own to the server; bytes go through as they are.
// One that is verified already waits for the next client. Where verification fails nothing is
// forwarded: the client gets the verdict, as an answer in the language that it speaks.
//
//   Owns     the listening socket, every connection, and the opener.
//   Threads  run() is one; the opener has another. stop() may be called from any, and from a signal
//            handler.
//   Trust    clients are this machine's; what they cost is bounded all the same.
//   Fails    make() and run() with kPlatform. A connection may fail, the proxy does not.

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "outside/proxy/opener.h"
#include "outside/proxy/upstream.h"

namespace casemate::proxy {

struct ProxyLimits {
  // A descriptor for each side; the usual limit is 1,024 descriptors.
  uint32_t connections = 480;
  // For a client's first bytes, and for the last ones to be taken.
  Duration patience = std::chrono::seconds(75);
  // After an answer of ours, for the client to read it and close.
  Duration linger = std::chrono::seconds(2);
};

class Tunnel;

class Proxy final {
 public:
  static Result<std::unique_ptr<Proxy>> make(Fd listener, GateOptions options, Gate::Tell tell,
                                             const ProxyLimits& limits = {});
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // Until stop().
  Status run();
  void stop();

 private:
  friend class Tunnel;
  Proxy(Fd listener, const ProxyLimits& limits);

  [[nodiscard]] Status watch(int fd, uint64_t number, uint32_t events) const;
  void accept_some();
  void hear_opener();
  void keep_spare(client::Protocol protocol, std::unique_ptr<Upstream> upstream);
  // Its events are that tunnel's from then on. nullptr when there is none.
  std::unique_ptr<Upstream> take_spare(client::Protocol protocol, uint64_t tunnel);
  void order_spare(client::Protocol protocol);
  void spare_event(uint64_t number, uint32_t events);
  void happened(uint64_t number, uint32_t events);
  void turn(uint64_t number);
  void expire();
  [[nodiscard]] int wait_ms() const;

  Fd listener_;
  const ProxyLimits limits_;
  Fd epoll_;
  Fd stop_bell_;
  std::unique_ptr<Opener> opener_;
  // Numbers of what is watched are never used again, so an event of one that has gone finds nobody.
  uint64_t next_number_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Tunnel>> tunnels_;
  std::vector<uint64_t> again_;  // asked for another turn
  struct Spare {
    uint64_t number = 0;
    std::unique_ptr<Upstream> upstream;
    bool ordered = false;
  };
  std::array<Spare, 2> spares_;  // by protocol
  std::vector<uint8_t> buffer_;  // of whoever has the turn
  // Until the listening socket's queue is looked at again; none: it was emptied, and what comes is
  // an event.
  std::optional<int> accept_in_ms_;
};

}  // namespace casemate::proxy
