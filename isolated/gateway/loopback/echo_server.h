// SPDX-License-Identifier: Apache-2.0
#pragma once
// EchoServer: a Server on a loopback port whose service answers with the body it got.
//
//   /echo   the body        /hold   waits for release()        /refused   404 before the body
//   /big    `big_bytes` of 'z'                                 /needy     411 without a length
//   /pieces the same in pieces of 10,000, as a model's outputs come
//
//   Owns     everything, the thread included.
//   Threads  the constructor's thread is the client's.
//   Trust    none needed.
//   Fails    by stopping the test.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "isolated/gateway/http/server.h"
#include "isolated/gateway/loopback/loop_thread.h"
#include "isolated/gateway/loopback/loopback.h"

namespace casemate::gateway {

class EchoServer final : private Service {
 public:
  explicit EchoServer(const HttpLimits& limits = {}, size_t big_bytes = 0,
                      KeyExchange exchange = KeyExchange::kHybrid)
      : big_(big_bytes, 'z') {
    auto listener = listen_on_loopback();
    auto identity = loopback_identity({}, exchange);
    CHECK(listener && identity, "loopback works");
    port_ = listener->port;
    auto server = Server::make(thread_.loop(), std::move(listener->socket), *std::move(identity),
                               *this, limits);
    CHECK(server.has_value(), "a server starts");
    server_ = *std::move(server);
    thread_.start();
  }
  ~EchoServer() { thread_.join(); }

  [[nodiscard]] uint16_t port() const { return port_; }
  ServerCounters counters() {
    ServerCounters counters;
    thread_.run([&] { counters = server_->counters(); });
    return counters;
  }
  void run(const std::function<void()>& action) { thread_.run(action); }
  [[nodiscard]] Server& server() { return *server_; }
  // Answers whatever is held with "held".
  void release() {
    thread_.run([&] {
      for (const CallId call : held_) answer(call, "held");
      held_.clear();
    });
  }
  std::atomic<int> cancelled_count = 0;
  std::atomic<int> held_count = 0;

 private:
  void answer(CallId call, std::string_view text) {
    const Bytes body = bytes_of(text);
    server_->answer(call, Response{.content_type = "text/plain", .body = {&body, 1}});
  }
  std::optional<Refusal> admit(Method method, std::string_view target, bool announced) override {
    if (method != Method::kGet && method != Method::kPost)
      return Refusal{.status = 405, .text = "no such method", .allow = "GET, POST"};
    if (target.starts_with("/refused")) return Refusal{.status = 404, .text = "not here"};
    if (target == "/needy" && !announced) return Refusal{.status = 411, .text = "how long is it?"};
    return std::nullopt;
  }
  void answer_in_pieces(CallId call) {
    std::vector<Bytes> pieces;
    for (size_t at = 0; at < big_.size(); at += 10'000)
      pieces.push_back(bytes_of(std::string_view(big_).substr(at, 10'000)));
    server_->answer(call, Response{.content_type = "text/plain", .body = pieces});
  }
  void serve(CallId call, Request request) override {
    if (request.target == "/pieces") {
      answer_in_pieces(call);
    } else if (request.target == "/hold") {
      held_.push_back(call);
      ++held_count;
    } else {
      answer(call,
             request.target == "/big" ? std::string_view(big_) : text_of(request.body.bytes()));
    }
  }
  void cancelled(CallId) override { ++cancelled_count; }

  std::string big_;
  std::vector<CallId> held_;
  LoopThread thread_;
  std::unique_ptr<Server> server_;
  uint16_t port_ = 0;
};

}  // namespace casemate::gateway
