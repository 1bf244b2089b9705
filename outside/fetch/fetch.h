// SPDX-License-Identifier: Apache-2.0
#pragma once
// Fetch: asks vendors' services for what a plan wants, and fills the folder that `casemate verify
// --collateral` reads.
//
//   plan --(curl, https)--> answer --(is it what was asked for?)--> folder
//
//   Owns     a folder of its own below the target while it works; nothing after that.
//   Threads  one.
//   Trust    nothing that comes is trusted: it is bounded, held against what was asked for, and
//            its signatures are checked by whoever uses it. `curl` runs with the user's powers.
//   Fails    with the address, what curl said and what to do: kUnavailable, kTimedOut, kNotFound,
//            kDenied (whose certificate is not believed), kInvalid (an answer that is something
//            else), kTooLarge. What came before that stays in the folder; what failed is not in
//            it.

#include <functional>
#include <string>

#include "base/clock.h"
#include "outside/fetch/answer.h"
#include "outside/fetch/what_to_fetch.h"

namespace casemate::fetch {

// Whom to ask.
struct Services {
  std::string intel{};    // "": Intel's own; else a cache of it (PCCS): https://HOST[:PORT][/PATH]
  std::string amd{};      // "": AMD's own; else a mirror of it
  std::string ca_file{};  // PEM, for services whose certificates the system does not know; "": none
  Duration patience = std::chrono::seconds(30);  // for one answer; it is asked for three times
};

// The largest answer that is taken. Intel's lists of revoked platforms have 100 KB.
inline constexpr uint64_t kAnswerBytes = 1 << 20;

// Where `wanted` is asked for. Requires: `services` were checked.
std::string url_of(const Wanted& wanted, const Services& services);

// Whether the addresses are some that are asked: https, without a query or a password.
Status check_services(const Services& services);

// Fetches all that `plan` wants into `folder`, which is made if it is missing; tells of each file
// that it has written, replacing one of the same name.
Status fetch(const Plan& plan, const Services& services, const std::string& folder,
             const std::function<void(const Kept&)>& tell);

}  // namespace casemate::fetch
