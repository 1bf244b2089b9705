// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/status_table.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"

namespace casemate::cli {
namespace {

constexpr std::array<std::string_view, 6> kStates = {"down",        "starting", "running",
                                                     "backing off", "given up", "refused"};

constexpr std::array<std::string_view, 3> kStandby = {"none", "loading", "ready"};

std::string_view standby_name(uint32_t standby) {
  return standby < kStandby.size() ? kStandby[standby] : "unknown";
}

std::string recovery(const operating::PartitionStatus& partition) {
  if (partition.recovery_us == 0) return "-";
  return formatted("{:.1f} ms", static_cast<double>(partition.recovery_us) / 1000);
}

}  // namespace

std::string_view state_name(uint32_t state) {
  return state < kStates.size() ? kStates[state] : "unknown";
}

void print_status(const operating::Reply& status, std::ostream& out) {
  out << formatted("{:<20} {:<7} {:<12} {:<8} {:>6} {:>8} {:>12}\n", "PARTITION", "DEVICE", "STATE",
                   "STANDBY", "STARTS", "FAILURES", "RECOVERY");
  for (uint32_t p = 0; p < status.partition_count; ++p) {
    const auto& partition = status.partitions[p];
    out << formatted("{:<20} {:<7} {:<12} {:<8} {:>6} {:>8} {:>12}\n",
                     printable(partition.name.view()), printable(partition.device.view()),
                     state_name(partition.state), standby_name(partition.standby), partition.epoch,
                     partition.failures, recovery(partition));
  }
  out << formatted("\n{:<20} {:<20} {:<12} {:>8} {:>10}\n", "ENCLAVE", "PARTITION", "STATE",
                   "START", "CALLS");
  for (uint32_t e = 0; e < status.enclave_count; ++e) {
    const auto& enclave = status.enclaves[e];
    const std::string name = enclave.model_version == 0
                                 ? std::string(enclave.name.view())
                                 : formatted("{}/{}", enclave.name.view(), enclave.model_version);
    const uint32_t partition = std::min(enclave.partition, limits::kPartitions - 1);
    out << formatted("{:<20} {:<20} {:<12} {:>5.1f} ms {:>7}\n", printable(name),
                     printable(status.partitions[partition].name.view()), state_name(enclave.state),
                     static_cast<double>(enclave.start_us) / 1000, enclave.completed);
    if (!enclave.reason.view().empty())
      out << formatted("    {}\n", printable(enclave.reason.view()));
  }
}

void print_status_json(const operating::Reply& status, std::ostream& out) {
  nlohmann::ordered_json document;
  document["partitions"] = nlohmann::json::array();
  document["enclaves"] = nlohmann::json::array();
  for (uint32_t p = 0; p < status.partition_count; ++p) {
    const auto& partition = status.partitions[p];
    document["partitions"].push_back({{"name", printable(partition.name.view())},
                                      {"device", printable(partition.device.view())},
                                      {"state", state_name(partition.state)},
                                      {"starts", partition.epoch},
                                      {"failures", partition.failures},
                                      {"pid", partition.pid},
                                      {"standby", standby_name(partition.standby)},
                                      {"recovery_us", partition.recovery_us}});
  }
  for (uint32_t e = 0; e < status.enclave_count; ++e) {
    const auto& enclave = status.enclaves[e];
    document["enclaves"].push_back(
        {{"name", printable(enclave.name.view())},
         {"version", enclave.model_version},
         {"partition",
          printable(
              status.partitions[std::min(enclave.partition, limits::kPartitions - 1)].name.view())},
         {"state", state_name(enclave.state)},
         {"start_us", enclave.start_us},
         {"calls", enclave.completed},
         {"reason", printable(enclave.reason.view())},
         {"program_measurement", to_hex(enclave.program_measurement)},
         {"model_measurement", to_hex(enclave.model_measurement)}});
  }
  out << document.dump(2) << "\n";
}

}  // namespace casemate::cli
