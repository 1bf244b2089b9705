// SPDX-License-Identifier: Apache-2.0
#pragma once
// Operator: asks a running monitor for its state, or to end something.
//
//   Owns     nothing; one connection per question.
//   Threads  any.
//   Trust    the socket lies in a folder of this user's; its answer is checked for size only.
//   Fails    kNotFound when no system runs here, the monitor's own refusal otherwise.

#include <memory>
#include <string>

#include "base/result.h"
#include "wire/abi/operator.h"

namespace casemate::launch {

// The folder in which systems of this user put their sockets: $CASEMATE_RUN, or one in
// $XDG_RUNTIME_DIR where that is this user's, or one in /tmp with his id. It is made if need be,
// and kDenied if others can enter it.
Result<std::string> run_folder();

// The socket of the system that runs here; kInvalid, naming them, when there are several and none
// is chosen.
Result<std::string> find_socket(const std::string& chosen);

Result<std::unique_ptr<operating::Reply>> ask(const std::string& socket, operating::Command command,
                                              const std::string& target = "", uint32_t enclave = 0);

}  // namespace casemate::launch
