// SPDX-License-Identifier: Apache-2.0
#pragma once
// The state of a system as a table for people, and as JSON.

#include <ostream>

#include "wire/abi/operator.h"

namespace casemate::cli {

void print_status(const operating::Reply& status, std::ostream& out);
void print_status_json(const operating::Reply& status, std::ostream& out);

}  // namespace casemate::cli
