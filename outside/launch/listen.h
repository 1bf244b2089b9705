// SPDX-License-Identifier: Apache-2.0
#pragma once
// A listening TCP socket.
//
//   Owns     the descriptor that it returns.
//   Threads  any.
//   Trust    the address is the user's own text.
//   Fails    kInvalid for what is no address of this machine, kPlatform with errno.

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace casemate::launch {

// Bound to ADDRESS:PORT (port 0 picks one), non-blocking, close-on-exec.
Result<Fd> listen_on(const std::string& where);
// ADDRESS:PORT, with the port that was picked.
Result<std::string> address_of(const Fd& fd);
// Only this machine can reach it.
bool on_loopback(const Fd& fd);

}  // namespace casemate::launch
