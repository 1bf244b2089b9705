// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quoting: a quote on its way. Hardware takes milliseconds to half a minute, and a host that does
// not answer takes for ever; so a child process asks, and whoever waits does other things.
//
//   Owns     the child, which ends with it, and the memory file that the child writes to.
//   Threads  one. Requires: the process has no other thread.
//   Trust    the child is this process, once more.
//   Fails    finish() as the root, or with kTimedOut; start() when there can be no child.

#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "trusted/attest/root.h"

namespace casemate::attest {

class Quoting final {
 public:
  // What Linux gives a host of TDX to answer in.
  static constexpr Duration kPatience = std::chrono::seconds(30);

  static Result<Quoting> start(RootOfTrust& root, const allow::Vouch& vouch,
                               const ByteArray<64>& report_data);
  Quoting(Quoting&&) noexcept = default;
  ~Quoting();

  // Readable when there is an answer.
  [[nodiscard]] int fd() const { return child_.number(); }
  // The answer; an end to waiting for one where there is none yet.
  Result<std::vector<uint8_t>> finish();

 private:
  Quoting(Fd child, Fd answer) : child_(std::move(child)), answer_(std::move(answer)) {}
  Fd child_;   // a pidfd
  Fd answer_;  // a code, and the quote
};

}  // namespace casemate::attest
