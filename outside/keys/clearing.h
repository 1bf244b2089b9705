// SPDX-License-Identifier: Apache-2.0
#pragma once
// Clearing: overwrites a secret when its scope ends, on whichever way.
//
//   Owns     nothing. Requires: the memory outlives it, and does not move meanwhile.
//   Threads  as the memory.
//   Trust    none needed.
//   Fails    cannot.

#include "base/crypto.h"

namespace casemate::keys {

class Clearing final {
 public:
  explicit Clearing(MutableBytes secret) : secret_(secret) {}
  ~Clearing() { clear_secret(secret_); }
  Clearing(const Clearing&) = delete;

 private:
  MutableBytes secret_;
};

}  // namespace casemate::keys
