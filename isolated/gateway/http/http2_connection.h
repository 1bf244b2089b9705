// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Connection: one client of a Server that speaks HTTP/2 (RFC 9113), behind its handshake.
//
//   a stream:   head -> body -> waiting for the service -> sending -> closed
//
// Its requests are the same as those of HTTP/1.1 and go to the same service; what of them is a call
// of gRPC says Request::grpc, and gets its answer as gRPC wants it.
//
// An answer is copied when it is given, since the client's window may let it leave only later. What
// the socket does not take stops the connection: nothing more is read before it has.
//
//   Owns     its socket, the session, each stream's body, and what of its answer is not sent.
//   Threads  one, the server's.
//   Trust    none in its client: streams, heads, bodies, answers and times are bounded like those
//            of HTTP/1.1, each stream by a deadline of its own.
//   Fails    by going away: drive() then has the server destroy it.

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "isolated/gateway/http/client_connection.h"
#include "isolated/gateway/http/http2_session.h"
#include "isolated/gateway/http/request_head.h"

namespace casemate::gateway {

class Http2Connection final : public ClientConnection,
                              private Http2Session::Events,
                              private Http2Session::Sink {
 public:
  // Takes `tls`, unless there is no memory: then nullptr.
  static std::unique_ptr<Http2Connection> make(Server& server, uint32_t place,
                                               std::unique_ptr<TlsStream>& tls);
  ~Http2Connection() override;

  // Says hello and reads what is there; may be its end.
  void begin();

  [[nodiscard]] bool waits(uint32_t turn) const override;
  bool answer(uint32_t turn, const Response& response) override;
  void answer(uint32_t turn, const Refusal& refusal) override;
  void cancel(Service& service) override;
  void abandon() override;
  void expired() override;
  void dismiss() override;

 private:
  using StreamId = Http2Session::StreamId;
  enum class Phase : uint8_t { kHead, kBody, kWaiting, kSending };
  struct Stream;
  using Streams = std::unordered_map<StreamId, std::unique_ptr<Stream>>;

  Http2Connection(Server& server, uint32_t place) : ClientConnection(server, place, nullptr) {}

  void ready(uint32_t events) override;
  void drive();
  bool go_on();
  bool read_some();
  bool pump();
  bool say_goodbye();
  bool discard();
  void answered_outside();
  void arm();
  bool count_unsent();
  void slow(Stream& stream);

  void begun(StreamId stream) override;
  void field(StreamId stream, std::string_view name, std::string_view value) override;
  void unpacked(size_t bytes) override;
  void head_ended(StreamId stream, bool last) override;
  void content(StreamId stream, Bytes bytes) override;
  void ended(StreamId stream) override;
  size_t left(StreamId stream) override;
  Bytes take(StreamId stream, size_t bytes) override;
  std::span<const HeaderField> trailer(StreamId stream) override;
  void answered(StreamId stream) override;
  void closed(StreamId stream) override;

  void send(Bytes bytes) override;
  [[nodiscard]] bool full() const override { return broken_ || pending_ >= kFlushStep; }
  void write_staged();

  Stream* find(StreamId stream);
  [[nodiscard]] Stream* of_turn(uint32_t turn) const;
  std::optional<Refusal> take_field(Stream& stream, std::string_view name, std::string_view value);
  std::optional<Refusal> refusal_of(Stream& stream, bool last);
  void begin_body(Stream& stream);
  std::optional<Refusal> append(Stream& stream, Bytes bytes);
  void serve(Stream& stream);
  void enter(Stream& stream, Phase phase);
  void refuse(Stream& stream, const Refusal& refusal);
  bool respond(Stream& stream, const Response& response);
  void respond_error(Stream& stream, const Refusal& refusal);

  // Encrypted at a time; below what a TlsStream takes in one go.
  static constexpr size_t kFlushStep = 48 << 10;

  std::unique_ptr<Http2Session> session_;
  Streams streams_;
  bool driving_ = false;
  bool readable_ = true;
  bool hung_up_ = false;
  bool client_done_ = false;  // close_notify came: no further request will
  bool broken_ = false;       // TLS failed, or it was abandoned
  bool lingering_ = false;
  uint64_t moved_ = 0;         // in this turn
  uint64_t window_bytes_ = 0;  // sent in the current rate window
  size_t pending_ = 0;         // given to TLS or staged since the last flush
  Share unsent_share_;
};

// The status of gRPC that a refusal's HTTP status stands for.
uint32_t grpc_status_of(uint16_t status);

}  // namespace casemate::gateway
