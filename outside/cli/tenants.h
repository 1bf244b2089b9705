// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tenants: who has which device of a running system, and how much of it: a partition with its
// share, and the enclaves in it.

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "wire/abi/operator.h"

namespace casemate::cli {

// "cores 0,2-3, 150 % of a core, 512 MiB": what is not limited is left out, but for the memory.
std::string share_text(const operating::PartitionStatus& partition);

void print_tenants(const operating::Reply& system, std::ostream& out);
nlohmann::ordered_json tenants_json(const operating::Reply& system);

}  // namespace casemate::cli
