// SPDX-License-Identifier: Apache-2.0
#pragma once
// Nonces: each good for one key within a minute. They say themselves when they were made, under a
// key of this process, so nothing is kept of those that are out, and whoever asks for many takes
// nobody's away:
//
//   nonce = time (8, big-endian) | random (8) | PRF(key of this process, both) (16)
//
// Kept are those that a key went out for, until they are too old anyway. A refusal spends none: who
// is refused has gained nothing that he could replay.
//
//   Owns     its key and what is spent.
//   Threads  one.
//   Trust    nonces that come back are anybody's.
//   Fails    kDenied for one that is not good, kUnavailable when too many are spent.

#include <set>

#include "base/clock.h"
#include "base/derive.h"
#include "wire/evidence/evidence.h"

namespace casemate::keys {

// How the line begins that refuses a nonce: who reads it may ask with another.
inline constexpr std::string_view kNonceRefused = "key.nonce:";

class Nonces final {
 public:
  // A TPM takes a second for a quote, and a machine that starts many models asks for each.
  static constexpr Duration kLife = std::chrono::seconds(60);
  // Of 80 bytes each. A key takes three signatures and a wait for the disk, so no more than a few
  // hundred go out in a second.
  static constexpr size_t kSpent = 1 << 16;

  Nonces(Clock& clock, Random& random);
  ~Nonces();
  Nonces(const Nonces&) = delete;

  Nonce make();
  [[nodiscard]] Status check(const Nonce& nonce) const;
  // From now on it is not good any more.
  Status spend(const Nonce& nonce);
  [[nodiscard]] size_t spent() const { return spent_.size(); }

 private:
  [[nodiscard]] uint64_t time() const;

  Clock& clock_;
  Random& random_;
  SecretKey key_{};
  Instant began_;
  std::set<Nonce> spent_;  // as they begin with their time, the oldest first
};

}  // namespace casemate::keys
