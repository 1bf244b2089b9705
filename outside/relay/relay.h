// SPDX-License-Identifier: Apache-2.0
#pragma once
// Relay: carries what enclaves ask a key service, and what it answers.
//
//   monitor: who waits? ── nonce from the service ── monitor: vouch ── post ── monitor: the answer
//
// Those that wait are partitions of many owners. One that cannot be served, whatever the reason, is
// passed over and tried again later each time, and costs the others nothing.
//
//   Owns     its thread.
//   Threads  one of its own; `tell` is called on it.
//   Trust    none is needed: see wire/sealed/release.h. What a service answers may be anything.
//   Fails    a service that cannot be reached is told of once and asked again, later each time; one
//            that says no in its own words ends the template that asked, which says why.

#include <functional>
#include <map>
#include <string>
#include <thread>

#include "base/clock.h"
#include "outside/client/url.h"
#include "outside/launch/key_questions.h"
#include "wire/sealed/release.h"

namespace casemate::keys {
struct HttpAnswer;
struct HttpRequest;
}  // namespace casemate::keys

namespace casemate::relay {

// "http://HOST:PORT".
Result<client::Url> parse_service(const std::string& text);

class Relay final {
 public:
  static constexpr std::chrono::milliseconds kLook{100};
  static constexpr std::chrono::milliseconds kAgainMax{10'000};

  // `tell` takes one line for the operator.
  Relay(std::string monitor, client::Url service, std::function<void(const std::string&)> tell);
  // Waits for nobody: what is under way is cut off.
  ~Relay() = default;

 private:
  // Of one that could not be served.
  struct Turn {
    Instant again{};
    std::chrono::milliseconds pause = kLook;
    std::string told;  // so that the same is not told twice in a row
  };
  void run(const std::stop_token& stop);
  // Looks after all that wait; false when the service cannot be reached.
  bool serve_all(const std::stop_token& stop);
  Status serve(const operating::KeyAnswer& waiting, const Nonce& nonce,
               const std::stop_token& stop);
  Result<keys::HttpAnswer> ask_service(const keys::HttpRequest& request,
                                       const std::stop_token& stop);
  Result<Nonce> fetch_nonce(const std::stop_token& stop);
  Status answer(const operating::KeyAnswer& waiting, Code code, std::string_view reason,
                Bytes wrapped, const std::stop_token& stop);
  void tell_later(std::string_view why) noexcept;
  void tell_once(std::string& told, const operating::KeyAnswer& waiting, const Error& why);

  std::string monitor_;
  client::Url service_;
  std::function<void(const std::string&)> tell_;
  std::map<uint64_t, Turn> turns_;  // by ticket, of those that wait
  std::string told_;                // about the service
  std::jthread thread_;
};

}  // namespace casemate::relay
