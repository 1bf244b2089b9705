// SPDX-License-Identifier: Apache-2.0
#pragma once
// Verification: from evidence to a verdict under a policy.
//
//   who signed?   quote by the root, claims by the quote's report data, tokens by the monitor
//   for whom?     the claims and the gateway's token name the TLS key of this very connection
//   now?          tokens carry our nonce (or none, in cached evidence) and a believable time
//   good enough?  root, measurements, debug flags and age against the policy; what accelerators say
//                 of themselves by its rules for that
//
// The order is fixed, and nothing is believed before it is proved: a broken link stops the rest,
// a policy's "no" does not, so that the verdict shows all that a user may have to change.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the evidence may be hostile in every byte; the expectation and the policy are ours.
//   Fails    cannot: what is wrong is in the verdict.

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "outside/verdict/verdict.h"
#include "outside/verify/cache.h"
#include "outside/verify/policy.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {

// How far two honest clocks may differ.
inline constexpr int64_t kClockSkewSeconds = 300;

// What the caller knows, against which the evidence is held.
struct Expectation {
  // SPKI DER of the key that the peer proved to hold; of a model alone, that it asks with.
  Bytes tls_key{};
  // proof_nonce() of what we sent and the connection that it came back on, or of a model alone the
  // hash of its key; none: evidence that is reused, whose nonces are zero.
  std::optional<Nonce> nonce{};
  std::string model{};  // the model that the tokens behind the gateway's must be of; or ""
  std::optional<uint32_t> model_version{};  // of the first of them; none: any
  bool model_alone = false;        // no gateway speaks: the key is the model's own, its token first
  uint32_t gateway_epoch_min = 0;  // the epoch in evidence seen before over the same key
  int64_t now_unix = 0;            // 0 to 2^48
};

// With a cache, signatures that it knows are not verified again; everything else is.
Verdict verify_evidence(Bytes evidence, const Expectation& expected, const Policy& policy,
                        Cache* cache = nullptr);

}  // namespace casemate::verify
