// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cache: what a verifier need not do twice. Servers show every client the same evidence until it is
// renewed, so all but the first look at it can do without the costly part: signatures.
//
// Only what time, policy and connection do not change is remembered: that a signature is good, and
// that whoever held this evidence proved it with a nonce, and when. Age, key, measurements and
// debug flags are judged each time, so a verdict never outlives its reasons.
//
//   Owns     hashes; never more than kEntries of either kind, the oldest go first.
//   Threads  any.
//   Trust    holds successes alone: whatever a peer sends, at worst it pushes others out.
//   Fails    cannot.

#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"

namespace casemate::verify {

class Cache final {
 public:
  // Of 32 bytes each, and as much again for the tree: a gateway and 60 models of 30 servers.
  static constexpr size_t kEntries = 4096;
  // How long a proof is as good as a new one. Servers renew their evidence daily, and then have to
  // prove it anyway; whoever stole a key and goes on showing the old evidence has this long.
  static constexpr int64_t kProofSeconds = 24 * 3600;

  // Does `check`, unless it succeeded before for the same bytes. Requires: nothing but these bytes
  // decides what comes of it.
  template <class Check>
  Status once(std::string_view what, Bytes first, Bytes second, Check check) {
    const Sha256Digest name = name_of(what, first, second);
    if (find(signatures_, name)) return {};
    Status checked = check();
    if (checked) remember(signatures_, name, 0);
    return checked;
  }

  // Whether evidence with this hash was followed by a proof of the same key and enclaves, no longer
  // ago than kProofSeconds and not in the future.
  [[nodiscard]] bool proved(const Sha256Digest& evidence, int64_t now_unix);
  void remember_proof(const Sha256Digest& evidence, int64_t now_unix) {
    remember(proofs_, evidence, now_unix);
  }

 private:
  // Two generations: when the younger is full, it becomes the older, and that is forgotten.
  struct Names {
    std::map<Sha256Digest, int64_t> younger;
    std::map<Sha256Digest, int64_t> older;
  };
  static Sha256Digest name_of(std::string_view what, Bytes first, Bytes second);
  std::optional<int64_t> find(const Names& names, const Sha256Digest& name);
  void remember(Names& names, const Sha256Digest& name, int64_t time);

  std::mutex mutex_;
  Names signatures_;
  Names proofs_;
};

}  // namespace casemate::verify
