// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keeper: decides who gets a key. It hands out nonces, each good for one request within a minute;
// verifies the evidence that comes with a request under the policy of the package; and wraps the
// key for the enclave that the evidence is about. What it decides is in the audit log before
// anybody hears of it.
//
//   Owns     the nonces that are out.
//   Threads  one.
//   Trust    requests are anybody's.
//   Fails    kDenied with the one reason, kInvalid for what is no request.

#include <deque>

#include "outside/keys/store.h"
#include "outside/verify/policy.h"
#include "wire/sealed/release.h"

namespace casemate::keys {

// How the line begins that refuses a nonce: who reads it may ask with another.
inline constexpr std::string_view kNonceRefused = "key.nonce:";

// Whether the policy names enough for a key to go out under it. A verdict lets pass what is not
// pinned, and says so to whoever reads it; here nobody does, and any monitor, program or runtime
// (which is in the device's measurement, and carries an enclave's words) that the operator has
// written would be good enough.
Status check_pins(const verify::Policy& policy, const std::string& model);

class Keeper final {
 public:
  // A TPM takes a second for a quote, and a machine that starts many models asks for each.
  static constexpr Duration kNonceLife = std::chrono::seconds(60);
  // Each is 40 bytes; beyond, the oldest is forgotten, whose owner asks again.
  static constexpr size_t kNonces = 4096;

  // `collateral`: what hardware's evidence is held against.
  Keeper(Store& store, Clock& clock, Random& random,
         std::shared_ptr<const verify::Collateral> collateral = nullptr)
      : store_(store), clock_(clock), random_(random), collateral_(std::move(collateral)) {}

  Nonce challenge();
  // `body` is a KeyRequest and the evidence.
  Result<sealed::WrappedKey> release(Bytes body);

 private:
  struct Out {
    Nonce nonce{};
    Instant at{};
  };
  Status take(const Nonce& nonce);
  // The record of the package, when its key may go to who asks.
  Result<Record> judge(const sealed::KeyRequest& request, Bytes evidence);

  Store& store_;
  Clock& clock_;
  Random& random_;
  std::shared_ptr<const verify::Collateral> collateral_;
  std::deque<Out> nonces_;  // the oldest first
};

}  // namespace casemate::keys
