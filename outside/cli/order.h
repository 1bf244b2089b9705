// SPDX-License-Identifier: Apache-2.0
#pragma once
// OrderSocket: hands an unmodified program's enclave its order, with what the program is given.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    the enclave that reads is the user's own program's.
//   Fails    as wire/abi/program.h, and with what the kernel refused.

#include <array>
#include <span>

#include "base/fd.h"
#include "wire/abi/program.h"

namespace casemate::cli {

struct OrderSocket {
  static Result<std::array<Fd, 2>> pair();
  static Status send(const Fd& socket, const program::Order& order, std::span<const int> given);
};

}  // namespace casemate::cli
