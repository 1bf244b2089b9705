// SPDX-License-Identifier: Apache-2.0
#pragma once
// TLS: 1.3 only, over a non-blocking socket.
//
// OpenSSL reads from the socket through a BIO of ours and writes into a buffer that all streams of
// the process share; flush() sends what is there in one call. An idle stream so holds no buffer at
// all (asio::ssl::stream keeps four of 17 KiB each), and an answer leaves in one packet train.
//
// No session tickets and no session cache: every connection shows the certificate, and with it the
// evidence, so no verdict is older than its connection, and no ticket key exists whose theft would
// open recorded traffic. The price is a full handshake per connection; clients keep theirs open.
//
//   Owns     TlsContext the SSL_CTX; TlsStream its SSL and its socket.
//   Threads  one.
//   Trust    the peer may send anything: OpenSSL parses it, and what it makes OpenSSL send is
//            bounded.
//   Fails    make() with kPlatform; streams with State::kFailed, after which only destruction is
//            allowed, and flush() once, for the alert.

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/fd.h"
#include "base/result.h"
#include "isolated/gateway/identity/tls_key.h"
#include "wire/evidence/evidence.h"

struct ssl_ctx_st;
struct ssl_st;

namespace casemate::gateway {

// How both ends agree on keys: X25519 with ML-KEM-768, so that what is recorded today stays closed
// to tomorrow's machines, or also curves alone, for clients that know nothing else.
enum class KeyExchange : uint8_t { kHybrid, kHybridOrClassical };

class TlsContext final {
 public:
  // Requires: the certificate is DER and carries the key's public half.
  static Result<TlsContext> make(const TlsKey& key, Bytes certificate_der,
                                 KeyExchange exchange = KeyExchange::kHybrid);
  TlsContext(TlsContext&& other) noexcept;
  TlsContext& operator=(TlsContext&& other) noexcept;
  ~TlsContext();
  [[nodiscard]] ssl_ctx_st* native() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

class TlsStream;

// Ciphertext on its way out, shared by all streams of a process; empty between their operations.
struct TlsOutput {
  std::vector<uint8_t> bytes;
  const TlsStream* owner = nullptr;  // who made them
};

class TlsStream final {
 public:
  enum class State {
    kDone,
    kWaitRead,   // until the socket is readable
    kWaitWrite,  // until the socket takes more
    kClosed,     // the peer said that it sends no more
    kFailed,     // the peer is gone, or broke the protocol
  };
  struct Moved {
    State state;
    size_t bytes;
  };

  // nullptr when OpenSSL has no memory.
  static std::unique_ptr<TlsStream> accept(const TlsContext& context, Fd socket, TlsOutput& output);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  State handshake();
  // At most one record, 16 KiB; kDone without bytes for a record that was none of the caller's.
  Moved read(MutableBytes into);
  // Encrypts all of `plain`, which flush() then sends. Requires: at most 64 KiB, and the last
  // flush() returned kDone.
  State write(Bytes plain);
  // kDone when everything was sent, kWaitWrite when the socket is full.
  State flush();
  // Forgets what was encrypted and not sent, so that nobody reads it. Only destruction is allowed
  // after that.
  void discard();
  // Says that nothing more will be sent; needs flush().
  void close_output();

  // A read may find something that no event will announce: OpenSSL holds bytes, or the socket was
  // not read to its end. False after a read that the socket answered with less than was asked,
  // unless that brought a record that was none of the caller's.
  [[nodiscard]] bool more() const;
  // Bytes of memory that hold what the socket did not take; 0 when it took everything.
  [[nodiscard]] size_t unsent() const { return unsent_.capacity(); }
  // The peer closed its half of the socket.
  [[nodiscard]] bool end_of_input() const { return end_of_input_; }
  // The peer spoke plain HTTP: handshake() failed, and plain text would be understood.
  [[nodiscard]] bool plain_http() const { return plain_http_; }
  // The handshake chose HTTP/2. Requires: handshake() returned kDone.
  [[nodiscard]] bool speaks_http2() const;
  [[nodiscard]] int socket() const { return socket_.number(); }
  // What this connection's two ends alone know (RFC 9266, tls-exporter). Requires: handshake() is
  // done.
  [[nodiscard]] Result<SessionBinding> binding() const;

 private:
  friend struct TlsBio;
  TlsStream(Fd socket, TlsOutput& output) : socket_(std::move(socket)), output_(output) {}
  State failed();
  State send(Bytes bytes, size_t& sent);

  Fd socket_;
  TlsOutput& output_;
  ssl_st* ssl_ = nullptr;
  std::vector<uint8_t> unsent_;  // what the socket did not take
  size_t unsent_at_ = 0;
  bool drained_ = false;  // the last recv() brought less than was asked
  bool dry_ = false;      // ... in the current operation, nothing
  bool end_of_input_ = false;
  bool plain_http_ = false;
  bool broken_ = false;
};

}  // namespace casemate::gateway
