// SPDX-License-Identifier: Apache-2.0
#pragma once
// RunningGateway: a whole gateway on a loopback port, with a model "double" of fake channels.
//
//   Owns     everything, the thread included.
//   Threads  the constructor's thread is the client's; reach into the gateway through run().
//   Trust    none needed.
//   Fails    by stopping the test.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "isolated/gateway/loopback/fake_model.h"
#include "isolated/gateway/loopback/loop_thread.h"
#include "isolated/gateway/loopback/loopback.h"
#include "isolated/gateway/serving/serving.h"

namespace casemate::gateway {

// Answers with the name, the version and the nonce that it was asked for, unless it is told to
// refuse or to hold its answers.
class FakeAttestor final : public Attestor {
 public:
  void evidence(const std::optional<Nonce>& nonce, std::string_view model, std::string_view version,
                Done done) override {
    ++asked;
    if (refusals > 0) {
      --refusals;
      return done(Error{Code::kUnavailable, "the fake monitor was told to refuse"});
    }
    std::vector<uint8_t> bytes(model.begin(), model.end());
    if (!version.empty()) bytes.push_back(' ');
    bytes.insert(bytes.end(), version.begin(), version.end());
    if (nonce) bytes.insert(bytes.end(), nonce->begin(), nonce->end());
    if (!hold) return done(std::move(bytes));
    held_.emplace_back(std::move(done), std::move(bytes));
  }
  // Gives what it holds, and holds no more. On the loop's thread.
  void release() {
    hold = false;
    for (auto& [done, bytes] : std::exchange(held_, {})) done(std::move(bytes));
  }
  std::atomic<int> asked = 0;
  std::atomic<int> refusals = 0;  // still to come
  std::atomic<bool> hold = false;

 private:
  std::vector<std::pair<Done, std::vector<uint8_t>>> held_;
};

class RunningGateway final {
 public:
  static constexpr int64_t kWidth = 4;
  struct Options {
    HttpLimits http{};
    ServingOptions serving{};
    uint32_t batch_max = 8;
    int64_t width = kWidth;
    bool attach = true;
    FakeChannel::Behaviour channel{};
  };
  RunningGateway() : RunningGateway(Options{}) {}
  explicit RunningGateway(const Options& options)
      : options_(options), serving_(thread_.loop(), attestor_, options.serving) {
    auto listener = listen_on_loopback();
    auto identity = loopback_identity();
    CHECK(listener && identity, "loopback works");
    port_ = listener->port;
    auto server = Server::make(thread_.loop(), std::move(listener->socket), *std::move(identity),
                               serving_, options.http);
    CHECK(server.has_value(), "a server starts");
    server_ = *std::move(server);
    serving_.open(*server_);
    model_ = *serving_.models().add("double", 1);
    if (options.attach) attach();
    thread_.start();
  }
  ~RunningGateway() { thread_.join(); }

  // Attaches another channel; the gateway owns it.
  FakeChannel* attach() {
    auto channel = std::make_unique<FakeChannel>(options_.channel);
    channel_ = channel.get();
    thread_.run([&] {
      const auto attached = model_->attach(
          std::move(channel), doubling_description(options_.width, options_.batch_max));
      CHECK(attached.has_value(), "the description is sound");
    });
    return channel_;
  }
  void run(const std::function<void()>& action) { thread_.run(action); }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] Model& model() { return *model_; }
  [[nodiscard]] Serving& serving() { return serving_; }
  [[nodiscard]] Server& server() { return *server_; }
  [[nodiscard]] Loop& loop() { return thread_.loop(); }
  [[nodiscard]] FakeAttestor& attestor() { return attestor_; }
  // The channel attached last; gone once it has failed.
  [[nodiscard]] FakeChannel& channel() { return *channel_; }

 private:
  Options options_;
  LoopThread thread_;
  FakeAttestor attestor_;
  Serving serving_;
  std::unique_ptr<Server> server_;
  Model* model_ = nullptr;
  FakeChannel* channel_ = nullptr;
  uint16_t port_ = 0;
};

// Calls `action` with 1, 2, 3 ... in the rounds of a gateway's loop, on its thread, as long as it
// lives.
class EachRound final : private Watcher {
 public:
  EachRound(RunningGateway& gateway, std::function<void(int)> action)
      : gateway_(gateway), action_(std::move(action)) {
    gateway_.run([&] { gateway_.loop().again(*this); });
  }
  ~EachRound() {
    gateway_.run([&] { gateway_.loop().forget(-1, *this); });
  }
  EachRound(const EachRound&) = delete;

 private:
  void ready(uint32_t) override {
    gateway_.loop().again(*this);
    action_(++round_);
  }
  RunningGateway& gateway_;
  std::function<void(int)> action_;
  int round_ = 0;
};

}  // namespace casemate::gateway
