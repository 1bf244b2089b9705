// SPDX-License-Identifier: Apache-2.0
#pragma once
// Connection: one client of a Server that speaks HTTP/1.1, from its handshake to its end. One that
// chose HTTP/2 in its handshake becomes an Http2Connection behind it.
//
//   handshake -> head -> body -> waiting for the service -> sending -> head ...
//   whatever is refused for good: sending -> lingering -> gone
//
//   Owns     its socket, the request that is being read, and what of an answer is not sent yet.
//   Threads  one, the server's.
//   Trust    none in its client.
//   Fails    by going away: drive() then has the server destroy it.

#include <memory>
#include <optional>
#include <vector>

#include "isolated/gateway/http/client_connection.h"
#include "isolated/gateway/http/request_head.h"

namespace casemate::gateway {

class Connection final : public ClientConnection, private ChunkReader::Sink {
 public:
  Connection(Server& server, uint32_t place, std::unique_ptr<TlsStream> tls);
  ~Connection() override;

  // One step of the handshake; the server calls it when it is this connection's turn.
  void shake_hands();
  [[nodiscard]] bool waits(uint32_t turn) const override {
    return phase_ == Phase::kWaiting && turn == turn_;
  }
  bool answer(uint32_t turn, const Response& response) override;
  void answer(uint32_t turn, const Refusal& refusal) override;
  void cancel(Service& service) override;
  void abandon() override;
  void expired() override;
  void dismiss() override;

 private:
  enum class Phase : uint8_t { kHandshake, kHead, kBody, kWaiting, kSending, kLingering, kGone };
  // Whether a phase can go on at once, must wait for an event, or has ended the connection.
  enum class Step : uint8_t { kOn, kWait, kGone };
  friend class Server;

  void ready(uint32_t events) override;
  void drive();
  Step step();

  // Reading (connection_read.cc).
  [[nodiscard]] Bytes window() const;
  void consume(size_t bytes);
  void park();
  Step absorb(TlsStream::Moved moved);
  Step read_more();
  bool skip_empty_lines();
  [[nodiscard]] bool nothing_yet() const;
  Step read_head();
  Step begin_request(RequestHead head, std::string_view block);
  Step begin_body(std::string_view block);
  Step read_body();
  Step read_known();
  Step read_chunks();
  Step read_to_drop();
  Step flush_now();
  Step ended_early();
  Step end_body();
  Step serve();
  Step watch_client();
  std::optional<Refusal> take(Bytes content) override;

  // Writing (connection.cc).
  void arm();
  Step refuse(const Refusal& refusal, bool last = false);
  Step refuse_head(const Refusal& refusal);
  bool send(const Response& response);
  std::span<const Bytes> first_record(const Response& response, Bytes& cut);
  bool send_piece(Bytes piece, const Origin* origin);
  bool torn(const Origin* origin);
  Step go_on_sending();
  bool count_unsent();
  void finish();
  Step discard();

  [[nodiscard]] CallId call() const { return {place_, turn_}; }

  uint32_t turn_ = 0;
  Phase phase_ = Phase::kHandshake;
  bool driving_ = false;
  bool readable_ = false;  // a read may find something
  bool hung_up_ = false;   // the kernel says that the peer closed its half, behind what is unread
  bool client_done_ = false;  // close_notify came: no further request will
  bool last_ = false;         // close after the answer
  bool head_only_ = false;    // HEAD: answer without a body
  bool said_goodbye_ = false;

  // Plaintext that is not yet used: a view of the server's buffer while driving, else input_.
  Bytes fresh_;
  std::vector<uint8_t> input_;
  size_t searched_ = 0;     // bytes of the window that hold no end of a head
  size_t empty_lines_ = 0;  // before the next request

  RequestHead head_;
  Body body_;
  uint64_t body_left_ = 0;     // of a body with a known length
  uint64_t window_bytes_ = 0;  // moved in the current rate window
  uint64_t moved_ = 0;         // in this turn
  Instant body_began_{};
  std::unique_ptr<ChunkReader> chunks_;
  std::unique_ptr<Inflater> inflater_;
  std::optional<Refusal> verdict_;  // of a body that is read only to be dropped

  std::vector<uint8_t> rest_;  // plaintext of the answer that is not encrypted yet
  size_t rest_at_ = 0;
  Share rest_share_;
  Share unsent_share_;  // of what is encrypted and the socket did not take
};

}  // namespace casemate::gateway
