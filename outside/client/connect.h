// SPDX-License-Identifier: Apache-2.0
#pragma once
// A TCP connection to a named host, within a deadline.
//
//   Owns     the descriptor that it returns.
//   Threads  any; name resolution runs on a thread of its own, since libc's cannot be given a
//            deadline.
//   Trust    whoever answers may be anybody: nothing is said about that here.
//   Fails    kUnavailable for a name or a port that nobody answers for, kTimedOut.

#include "base/fd.h"
#include "base/result.h"
#include "outside/client/deadline.h"
#include "outside/client/url.h"

struct addrinfo;

namespace casemate::client {

// A machine that has vanished says so to nobody: one that is silent for kKeepIdleSeconds is asked
// every kKeepEverySeconds whether it is there, and what it leaves unacknowledged for kVanishedMs
// ends the connection. Longer than any wait of ours for a peer that is there and slow.
inline constexpr int kKeepIdleSeconds = 30;
inline constexpr int kKeepEverySeconds = 15;
inline constexpr int kVanishedMs = 120'000;

// Connected, non-blocking, close-on-exec, without Nagle's delay, and not for ever with a peer that
// has vanished. All addresses of the host are
// tried in the resolver's order, each for its share of the time that is left.
Result<Fd> connect_to(const Url& url, const Deadline& deadline);

// The same for a list of addresses that somebody has resolved. Fails with the last one's error.
Result<Fd> connect_to_any(const addrinfo* addresses, const Deadline& deadline);

// Waits until one of `events` (POLLIN, POLLOUT) holds on `fd`, and returns those that do. Fails
// with kTimedOut.
Result<short> wait_for(int fd, short events, const Deadline& deadline);

}  // namespace casemate::client
