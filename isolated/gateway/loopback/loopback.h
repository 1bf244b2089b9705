// SPDX-License-Identifier: Apache-2.0
#pragma once
// Loopback: both ends of the gateway in one process, for its tests and benchmarks: a listening
// socket with an identity, and a blocking TLS client that can also misbehave.
//
//   Owns     its sockets and TLS objects.
//   Threads  a client may be used by one thread at a time, another one than the server's.
//   Trust    accepts every certificate: it is for tests.
//   Fails    listen() with kPlatform; a client's verbs by returning false or nothing.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "isolated/gateway/http/tls.h"
#include "isolated/gateway/identity/identity.h"

struct ssl_st;
struct ssl_ctx_st;

namespace casemate::gateway {

struct Listener {
  Fd socket;  // non-blocking, on 127.0.0.1
  uint16_t port = 0;
};
Result<Listener> listen_on_loopback(int backlog = 4096);
// A fresh key with a certificate for localhost that carries `evidence`.
Result<TlsContext> loopback_identity(const CarriedEvidence& evidence = {},
                                     KeyExchange exchange = KeyExchange::kHybrid);

struct HttpAnswer {
  int status = 0;
  std::string head;
  std::string body;
  // The value of a header, or nothing.
  [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
};

class TlsClient final {
 public:
  struct Options {
    int version_min = 0, version_max = 0;  // 0: OpenSSL's default
    std::string groups{};                  // empty: OpenSSL's default
    std::string alpn{};                    // one protocol
    std::chrono::milliseconds patience{10'000};
    int receive_buffer = 0;  // bytes in the kernel; 0: its default
  };
  // Connects and shakes hands; `connected()` says whether that worked.
  explicit TlsClient(uint16_t port) : TlsClient(port, Options{}) {}
  TlsClient(uint16_t port, const Options& options);
  ~TlsClient();
  TlsClient(TlsClient&& other) noexcept;
  TlsClient(const TlsClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  bool send(std::string_view bytes);
  // The next answer; nothing when the connection ends or patience runs out before it is complete.
  std::optional<HttpAnswer> receive(bool head_only = false);
  std::optional<HttpAnswer> exchange(std::string_view request) {
    return send(request) ? receive() : std::nullopt;
  }
  // True when the server closes without sending anything more.
  bool closed();
  // What had arrived when the connection ended: for tests of answers that are no answers.
  const std::string& received() const { return input_; }

  void half_close();  // close_notify, and no more sending
  void reset();       // an RST
  void vanish();      // closes the socket without a word of TLS
  // What the connection's two ends alone know.
  [[nodiscard]] SessionBinding binding() const;
  [[nodiscard]] int socket() const { return socket_.number(); }
  [[nodiscard]] ssl_st* native() const { return ssl_; }

 private:
  bool fill();
  Fd socket_;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
  bool connected_ = false;
  std::string input_;
};

// A plain TCP connection to a loopback port.
Fd connect_to(uint16_t port);

std::string post(std::string_view target, std::string_view body, std::string_view headers = "");
std::string get(std::string_view target);

}  // namespace casemate::gateway
