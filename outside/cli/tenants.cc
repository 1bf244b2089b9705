// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/tenants.h"

#include <bit>

#include "base/format.h"
#include "base/log.h"
#include "outside/launch/names.h"

namespace casemate::cli {

using launch::cores_text;
using launch::state_name;

namespace {

// Those of partition `p`, "name/version" where a model has one.
std::vector<std::string> tenants_of(const operating::Reply& system, uint32_t p) {
  std::vector<std::string> names;
  for (uint32_t e = 0; e < std::min(system.enclave_count, limits::kEnclaves); ++e) {
    const operating::EnclaveStatus& enclave = system.enclaves[e];
    if (enclave.partition != p) continue;
    names.push_back(launch::label_of(enclave));
  }
  return names;
}

}  // namespace

std::string share_text(const operating::PartitionStatus& partition) {
  std::string text;
  if (partition.cpu_mask != 0) {
    text += formatted("core{} {}, ", std::popcount(partition.cpu_mask) == 1 ? "" : "s",
                      cores_text(partition.cpu_mask));
  }
  if (partition.cpu_percent != 0) text += formatted("{} % of a core, ", partition.cpu_percent);
  return text + formatted("{} MiB", partition.memory_bytes >> 20);
}

void print_tenants(const operating::Reply& system, std::ostream& out) {
  out << formatted("\n{:<20} {:<7} {:<32} {:<12} {:>8}  {}\n", "PARTITION", "DEVICE", "SHARE",
                   "STATE", "FAILURES", "TENANTS");
  for (uint32_t p = 0; p < std::min(system.partition_count, limits::kPartitions); ++p) {
    const operating::PartitionStatus& partition = system.partitions[p];
    std::string tenants;
    for (const std::string& name : tenants_of(system, p))
      tenants += formatted("{}{}", tenants.empty() ? "" : " ", name);
    out << formatted("{:<20} {:<7} {:<32} {:<12} {:>8}  {}\n", printable(partition.name.view()),
                     printable(partition.device.view()), share_text(partition),
                     state_name(partition.state), partition.failures, tenants);
  }
}

nlohmann::ordered_json tenants_json(const operating::Reply& system) {
  auto list = nlohmann::ordered_json::array();
  for (uint32_t p = 0; p < std::min(system.partition_count, limits::kPartitions); ++p) {
    const operating::PartitionStatus& partition = system.partitions[p];
    auto cores = nlohmann::ordered_json::array();
    for (uint32_t core = 0; core < 64; ++core) {
      if ((partition.cpu_mask >> core & 1) != 0) cores.push_back(core);
    }
    list.push_back({{"name", printable(partition.name.view())},
                    {"device", printable(partition.device.view())},
                    {"cores", std::move(cores)},  // none: all
                    {"cpu_percent", partition.cpu_percent},
                    {"memory_bytes", partition.memory_bytes},
                    {"state", state_name(partition.state)},
                    {"failures", partition.failures},
                    {"tenants", tenants_of(system, p)}});
  }
  return list;
}

}  // namespace casemate::cli
