// SPDX-License-Identifier: Apache-2.0
#pragma once
// TestServer: a small Casemate look-alike on loopback, real TLS and real evidence, for tests of the
// client and the commands. It answers properly unless a test tells it to misbehave.
//
//   Owns     its threads, one per connection, and a signer that plays monitor and root.
//   Threads  setters may be called at any time; hooks run on the connection's thread.
//   Trust    test code: no shipped program may link this folder.
//   Fails    what cannot be set up stops the process.

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "outside/verify/testing/signer.h"

struct ssl_ctx_st;
struct ssl_st;

namespace casemate::client::testing {

struct HttpRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  SessionBinding session{};  // of the connection on which it came

  // What a proof carries that the target asks for; of zeros when it names no nonce.
  [[nodiscard]] Nonce proof() const;
};

// Bytes for the wire, and what happens behind them.
struct Reply {
  enum class Then { kKeepOpen, kClose, kVanish, kStall };
  std::string bytes;
  Then then = Then::kKeepOpen;
};

// "HTTP/1.1 STATUS ..." with Content-Length and `headers` (lines that end with \r\n).
std::string http(int status, std::string_view body, std::string_view headers = "");

class TestServer final {
 public:
  // Answers instead of the server when it returns something.
  using Hook = std::function<std::optional<Reply>(const HttpRequest&)>;

  // Listens on a free port of 127.0.0.1. All evidence is issued at `now`.
  explicit TestServer(int64_t now = verify::testing::kNow);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] uint16_t port() const { return port_; }

  // Holds the keys. Requires: changed only before the first connection, or through bend().
  verify::testing::Signer signer;
  // Changes the signer between two evidence answers; what was reused until then is no more.
  void bend(const std::function<void(verify::testing::Signer&)>& change);

  void hook(Hook hook);
  // Gives this answer as soon as a POST's head is there, reads no body, and then stalls or closes.
  // Nothing: reads bodies again.
  void answer_unread(std::optional<Reply> reply);
  // Connections from now on show this key and evidence instead of the signer's own.
  void show(const SigningKey& key, Bytes evidence, int copies = 1);
  // Connections from now on are accepted and never served.
  void ignore_connections();
  // Connections from now on offer nothing newer.
  void speak_tls12();
  // Connections from now on agree on keys with one of these, as OpenSSL names them.
  void agree_with(const std::string& groups);
  // "METHOD target" of every request so far; how many connections there were.
  [[nodiscard]] std::vector<std::string> requests();
  [[nodiscard]] int connections() const { return connections_; }

  // Evidence whose tokens carry `nonce`, as the endpoint would send it; `model` may be empty. Other
  // versions than the first are other models: digest_of("NAME model VERSION").
  [[nodiscard]] std::vector<uint8_t> fresh_evidence(const Nonce& nonce, const std::string& model,
                                                    uint32_t version = 1);

 private:
  struct Connection {
    Fd socket;
    std::thread thread;
  };
  void accept_all();
  void serve(int socket);
  void converse(ssl_st* ssl);
  std::optional<HttpRequest> read_request(ssl_st* ssl);
  Reply answer(const HttpRequest& request);
  Reply evidence_answer(const HttpRequest& request);
  void stall();

  std::mutex mutex_;
  Fd listener_;
  uint16_t port_ = 0;
  ssl_ctx_st* context_;
  Hook hook_;
  std::optional<Reply> early_;
  bool ignoring_ = false;
  std::map<std::string, std::vector<uint8_t>> reused_;  // evidence without a nonce, by model
  std::vector<std::string> requests_;
  std::atomic<int> connections_ = 0;
  std::atomic<bool> stopping_ = false;
  std::list<Connection> open_;
  std::thread acceptor_;
};

// The protocol's other routes: two models, `digits`, which sees the brightness of a picture as a
// digit from 0 to 9, and any other name, which gives its inputs back.
std::string model_answer(const HttpRequest& request);

}  // namespace casemate::client::testing
