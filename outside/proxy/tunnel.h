// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tunnel: one client of the proxy and its connection to the server.
//
//   first bytes -> waiting for a verified connection -> forwarding -> lingering -> gone
//                                      `-> refusing -> lingering -> gone
//
// What a side does not take at once is kept, and nothing more is read for it meanwhile: at most one
// buffer in each direction.
//
//   Owns     both sockets.
//   Threads  one, the proxy's.
//   Trust    the client may send anything at any speed; only its first bytes are looked at.
//   Fails    by going away.

#include <memory>
#include <optional>

#include "outside/proxy/http2_refusal.h"
#include "outside/proxy/proxy.h"

namespace casemate::proxy {

class Tunnel final {
 public:
  Tunnel(Proxy& proxy, uint64_t number, Fd client);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  // Does what can be done now. False when it is over.
  bool drive();
  // `sends_no_more`: it closed its half, and perhaps all; `gone`: it certainly closed all.
  void client_ready(bool sends_no_more, bool gone) {
    client_readable_ = true;
    client_half_closed_ |= sends_no_more;
    client_gone_ |= gone;
  }
  void server_ready() { server_readable_ = true; }
  // What it waits for has come.
  void connect(std::unique_ptr<Upstream> upstream);
  void refuse(const Refusal& refusal);

  [[nodiscard]] bool waiting() const { return phase_ == Phase::kOpening; }
  [[nodiscard]] bool connected() const { return upstream_ != nullptr; }
  [[nodiscard]] int client() const { return client_.number(); }
  // When to give it up; never for one that forwards and owes nobody anything.
  [[nodiscard]] Instant due() const { return due_; }

 private:
  enum class Phase : uint8_t { kFirstBytes, kOpening, kForwarding, kRefusing, kLingering };
  bool read_first();
  bool go_on_waiting();
  bool forward();
  bool up(size_t& moved);
  bool down(size_t& moved);
  bool go_on_refusing();
  bool linger();
  bool send_rest();
  void reset_client() const;

  Proxy& proxy_;
  const uint64_t number_;
  Fd client_;
  std::unique_ptr<Upstream> upstream_;
  Phase phase_ = Phase::kFirstBytes;
  client::Protocol protocol_ = client::Protocol::kHttp1;
  bool head_only_ = false;
  bool client_readable_ = true;
  bool server_readable_ = true;
  bool client_half_closed_ = false;
  bool client_gone_ = false;
  bool client_done_ = false;   // all that it sent before it closed its half was read
  bool server_done_ = false;   // it said that it sends no more
  bool shut_ = false;          // the client's socket is closed for writing
  std::vector<uint8_t> rest_;  // for the client
  size_t rest_at_ = 0;
  std::unique_ptr<Http2Refusal> refusal_;
  Instant due_;
};

}  // namespace casemate::proxy
