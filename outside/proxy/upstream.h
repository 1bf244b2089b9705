// SPDX-License-Identifier: Apache-2.0
#pragma once
// Upstream: a verified TLS connection to the server, for an event loop.
//
// TLS reads from the socket through a BIO of ours and writes into one buffer for all connections,
// which flush() sends with one call; only what the socket does not take is kept.
//
//   Owns     the socket, the TLS state, ciphertext that the socket has not taken.
//   Threads  one, the loop's.
//   Trust    the server was verified; libssl parses what it sends.
//   Fails    with State::kFailed, after which only destruction is allowed.

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "outside/client/channel.h"

namespace casemate::proxy {

class Upstream final {
 public:
  enum class State : uint8_t {
    kDone,
    kWait,    // for the socket
    kClosed,  // the server said that it sends no more
    kFailed,  // it is gone, or broke the protocol
  };
  struct Moved {
    State state;
    size_t bytes;
  };

  // Takes the channel. nullptr without memory.
  static std::unique_ptr<Upstream> make(client::Channel channel);
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // As much as there is and fits. kDone with bytes, or any other state without.
  Moved read(MutableBytes into);
  // Encrypts all of `plain` and sends what the socket takes. Requires: unsent() == 0.
  State write(Bytes plain);
  State flush();
  // Says that nothing more will be sent.
  State close_output();

  // Ciphertext that waits for the socket.
  [[nodiscard]] size_t unsent() const { return unsent_.size() - unsent_at_; }
  // A read may find something that no event will announce.
  [[nodiscard]] bool more() const { return !dry_; }
  [[nodiscard]] int socket() const { return socket_.number(); }

 private:
  friend struct UpstreamBio;
  Upstream() = default;
  State send(Bytes bytes);

  Fd socket_;
  ssl_st* tls_ = nullptr;
  std::vector<uint8_t> early_;  // ciphertext that came before there was a loop
  size_t early_at_ = 0;
  std::vector<uint8_t> unsent_;
  size_t unsent_at_ = 0;
  bool dry_ = false;  // the socket had nothing more
  bool ended_ = false;
};

}  // namespace casemate::proxy
