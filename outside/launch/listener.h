// SPDX-License-Identifier: Apache-2.0
#pragma once
// Listener: a listening TCP socket at an address of this machine.
//
//   Owns     the descriptor that it returns.
//   Threads  any.
//   Trust    the address is the operator's own word.
//   Fails    kInvalid for what is no address of this machine; kPlatform where it is taken.

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace casemate::launch {

// ADDRESS:PORT; port 0 picks one.
Result<Fd> listen_for_clients(const std::string& where);
// Where it listens, with the port that it got.
Result<std::string> address_of(const Fd& fd);

}  // namespace casemate::launch
