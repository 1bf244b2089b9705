// SPDX-License-Identifier: Apache-2.0
#pragma once
// Key questions: asks a running monitor who waits for a key, and brings the answer.
//
//   Owns     nothing; one connection per question.
//   Threads  any.
//   Trust    as operator.h.
//   Fails    kNotFound when nobody waits or no system runs here, with the monitor's code otherwise.

#include <string>

#include "base/result.h"
#include "wire/control/keys.h"

namespace casemate::launch {

Result<operating::KeyAnswer> ask_for_keys(const std::string& socket,
                                          const operating::KeyQuestion& question);

}  // namespace casemate::launch
