// SPDX-License-Identifier: Apache-2.0
#pragma once
// Relay: carries what enclaves ask a key service, and what it answers.
//
//   monitor: who waits? ── nonce from the service ── monitor: vouch ── post ── monitor: the answer
//
//   Owns     its thread.
//   Threads  one of its own; `tell` is called on it.
//   Trust    none is needed: see wire/sealed/release.h.
//   Fails    a service that cannot be reached is told of once and asked again, later each time; one
//            that says no ends the template that asked, which says why.

#include <functional>
#include <string>
#include <thread>

#include "outside/client/url.h"
#include "outside/launch/key_questions.h"
#include "wire/sealed/release.h"

namespace casemate::relay {

// "http://HOST:PORT".
Result<client::Url> parse_service(const std::string& text);

class Relay final {
 public:
  static constexpr std::chrono::milliseconds kLook{100};
  static constexpr std::chrono::milliseconds kAgainMax{10'000};

  // `tell` takes one line for the operator.
  Relay(std::string monitor, client::Url service, std::function<void(const std::string&)> tell);
  ~Relay() = default;  // a jthread stops and is waited for

 private:
  void run(const std::stop_token& stop);
  // Looks after all that wait; false when the service cannot be reached.
  bool serve_all();
  Status serve(const operating::KeyAnswer& waiting);
  Status answer(const operating::KeyAnswer& waiting, Code code, std::string_view reason,
                Bytes wrapped);

  std::string monitor_;
  client::Url service_;
  std::function<void(const std::string&)> tell_;
  std::string told_;  // so that the same is not told twice in a row
  std::jthread thread_;
};

}  // namespace casemate::relay
