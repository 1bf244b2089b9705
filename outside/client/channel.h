// SPDX-License-Identifier: Apache-2.0
#pragma once
// Channel: a TLS 1.3 connection to a server that has proved to hold the key of its certificate, and
// nothing more. No certificate authority is asked: whether that key may be trusted is for the
// evidence to say (outside/verify).
//
// TLS works on memory; the socket is ours. So every wait has a deadline, and a closed connection
// is an error and never SIGPIPE.
//
//   Owns     the socket and the TLS state.
//   Threads  one at a time.
//   Trust    the server may send anything; libssl parses it.
//   Fails    kUnavailable, kTimedOut, kPartitionFailed when the connection broke; kDenied for a
//            server that speaks no TLS 1.3.

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "outside/client/deadline.h"
#include "outside/client/url.h"
#include "outside/verify/certificate.h"
#include "wire/evidence/evidence.h"

struct bio_st;
struct ssl_st;

namespace casemate::client {

// How both ends agree on keys: X25519 with ML-KEM-768, so that what is recorded today stays closed
// to tomorrow's machines, or, where the server knows no better, curves alone.
enum class KeyExchange : uint8_t { kHybrid, kHybridOrClassical };
// What is to be spoken over a channel (ALPN).
enum class Protocol : uint8_t { kHttp1, kHttp2 };

class Channel final {
 public:
  static Result<Channel> open(const Url& url, const Deadline& deadline,
                              KeyExchange exchange = KeyExchange::kHybrid,
                              Protocol protocol = Protocol::kHttp1);
  Channel(Channel&&) noexcept = default;
  Channel& operator=(Channel&&) noexcept = default;
  ~Channel();

  // The key that the server proved to hold, and the evidence beside it.
  [[nodiscard]] const verify::Certificate& certificate() const { return certificate_; }

  // What this connection's two ends alone know (RFC 9266, tls-exporter).
  [[nodiscard]] const SessionBinding& binding() const { return binding_; }

  // What the keys were agreed on with: "X25519MLKEM768".
  [[nodiscard]] std::string_view group() const;

  // Sends all of `data`. False when the server answered or closed before it took everything: read
  // its answer, and use the channel no more.
  Result<bool> write(Bytes data, const Deadline& deadline);
  // At least one byte, or 0 when the server ended the connection properly.
  Result<size_t> read(MutableBytes into, const Deadline& deadline);
  // False when the server has closed, or sent bytes that nobody asked for: such a channel must not
  // carry another request.
  [[nodiscard]] bool quiet();

  // The socket and TLS apart, for who waits for many at once (outside/proxy).
  struct Parts {
    Fd socket;
    ssl_st* tls = nullptr;            // the caller's to free
    std::vector<uint8_t> ciphertext;  // that has arrived and TLS has not seen
  };
  [[nodiscard]] Parts release() &&;

 private:
  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };
  explicit Channel(Fd socket) : socket_(std::move(socket)) {}
  Status start_tls(const Url& url, KeyExchange exchange, Protocol protocol);
  Status handshake(const Url& url, KeyExchange exchange, const Deadline& deadline);
  Status keep_certificate();
  Status keep_binding();
  Result<bool> fill(const Deadline& deadline);
  Result<bool> receive();
  Result<bool> flush(const Deadline& deadline);
  bool answered();

  Fd socket_;
  std::unique_ptr<ssl_st, SslFree> ssl_;
  bio_st* in_ = nullptr;   // ciphertext for TLS; belongs to ssl_
  bio_st* out_ = nullptr;  // ciphertext from TLS; belongs to ssl_
  verify::Certificate certificate_;
  SessionBinding binding_{};
};

}  // namespace casemate::client
