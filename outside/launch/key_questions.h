// SPDX-License-Identifier: Apache-2.0
#pragma once
// Key questions: asks a running monitor who waits for a key, and brings the answer.
//
//   Owns     nothing; one connection per question.
//   Threads  any.
//   Trust    as operator.h.
//   Fails    kNotFound when nobody waits or no system runs here, kUnavailable when the monitor does
//            not answer or `stop` was requested, with the monitor's code otherwise.

#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "wire/control/keys.h"

namespace casemate::launch {

Result<std::unique_ptr<operating::KeyAnswer>> ask_for_keys(const std::string& socket,
                                                           const operating::KeyQuestion& question,
                                                           const std::stop_token& stop = {});

}  // namespace casemate::launch
