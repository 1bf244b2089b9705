// SPDX-License-Identifier: Apache-2.0
#pragma once
// The state of a system as a table for people, and as JSON.

#include <ostream>
#include <string_view>

#include "wire/abi/operator.h"

namespace casemate::cli {

// "running", "backing off", ...
std::string_view state_name(uint32_t state);

void print_status(const operating::Reply& status, std::ostream& out);
void print_status_json(const operating::Reply& status, std::ostream& out);

}  // namespace casemate::cli
