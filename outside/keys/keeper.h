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
#include "wire/sealed/release.h"

namespace casemate::keys {

class Keeper final {
 public:
  // A TPM takes a second for a quote, and a machine that starts many models asks for each.
  static constexpr Duration kNonceLife = std::chrono::seconds(60);
  // Each is 40 bytes; beyond, the oldest is forgotten, whose owner asks again.
  static constexpr size_t kNonces = 4096;

  Keeper(Store& store, Clock& clock, Random& random)
      : store_(store), clock_(clock), random_(random) {}

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
  std::deque<Out> nonces_;  // the oldest first
};

}  // namespace casemate::keys
