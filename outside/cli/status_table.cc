// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/status_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"
#include "outside/launch/names.h"
#include "wire/evidence/evidence.h"

namespace casemate::cli {

using launch::cores_of;
using launch::standby_name;
using launch::state_name;

namespace {

std::string recovery(const operating::PartitionStatus& partition) {
  if (partition.recovery_us == 0) return "-";
  return formatted("{:.1f} ms", static_cast<double>(partition.recovery_us) / 1000);
}

// What it comes to: "50 %: all of core 1, 1024 MiB".
std::string share(const operating::EnclaveStatus& enclave) {
  if (enclave.share == 0) return "-";
  const auto cores = cores_of(enclave.cpu_mask);
  std::string list;
  for (const uint32_t core : cores) list += formatted("{}{}", list.empty() ? "" : ",", core);
  const bool whole = enclave.cpu_percent == 100 * cores.size();
  return formatted(
      "{} %: {} of core{} {}, {} MiB", enclave.share,
      whole ? "all" : formatted("{}.{:02}", enclave.cpu_percent / 100, enclave.cpu_percent % 100),
      cores.size() == 1 ? "" : "s", list, enclave.memory_bytes >> 20);
}

void print_end(std::string_view why, std::ostream& out) {
  if (!why.empty()) out << formatted("    started anew: {}\n", printable(why));
}

}  // namespace

void print_status(const operating::Reply& status, std::ostream& out) {
  out << formatted("{:<20} {:<7} {:<12} {:<8} {:>6} {:>8} {:>12}\n", "PARTITION", "DEVICE", "STATE",
                   "STANDBY", "STARTS", "FAILURES", "RECOVERY");
  for (uint32_t p = 0; p < status.partition_count; ++p) {
    const auto& partition = status.partitions[p];
    out << formatted("{:<20} {:<7} {:<12} {:<8} {:>6} {:>8} {:>12}\n",
                     printable(partition.name.view()), printable(partition.device.view()),
                     state_name(partition.state), standby_name(partition.standby), partition.epoch,
                     partition.failures, recovery(partition));
    print_end(partition.last_end.view(), out);
  }
  out << formatted("\n{:<20} {:<20} {:<12} {:>8} {:>10}  {}\n", "ENCLAVE", "PARTITION", "STATE",
                   "START", "CALLS", "SHARE");
  for (uint32_t e = 0; e < status.enclave_count; ++e) {
    const auto& enclave = status.enclaves[e];
    const std::string name = enclave.model_version == 0
                                 ? std::string(enclave.name.view())
                                 : formatted("{}/{}", enclave.name.view(), enclave.model_version);
    const uint32_t partition = std::min(enclave.partition, limits::kPartitions - 1);
    out << formatted("{:<20} {:<20} {:<12} {:>5.1f} ms {:>7}  {}\n", printable(name),
                     printable(status.partitions[partition].name.view()), state_name(enclave.state),
                     static_cast<double>(enclave.start_us) / 1000, enclave.completed,
                     share(enclave));
    if (!enclave.reason.view().empty())
      out << formatted("    {}\n", printable(enclave.reason.view()));
    print_end(enclave.last_end.view(), out);
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
                                      {"cpu_percent", partition.cpu_percent},
                                      {"cores", launch::cores_of(partition.cpu_mask)},
                                      {"memory_bytes", partition.memory_bytes},
                                      {"state", state_name(partition.state)},
                                      {"up_us", partition.up_us},
                                      {"starts", partition.epoch},
                                      {"failures", partition.failures},
                                      {"pid", partition.pid},
                                      {"standby", standby_name(partition.standby)},
                                      {"recovery_us", partition.recovery_us},
                                      {"last_end", printable(partition.last_end.view())}});
  }
  for (uint32_t e = 0; e < status.enclave_count; ++e) {
    const auto& enclave = status.enclaves[e];
    document["enclaves"].push_back(
        {{"name", printable(enclave.name.view())},
         {"version", enclave.model_version},
         {"kind", launch::kind_name(enclave.kind)},
         {"partition",
          printable(
              status.partitions[std::min(enclave.partition, limits::kPartitions - 1)].name.view())},
         {"state", state_name(enclave.state)},
         {"up_us", enclave.up_us},
         {"starts", enclave.starts},
         {"start_us", enclave.start_us},
         {"calls", enclave.completed},
         {"share", enclave.share},
         {"cpu_percent", enclave.cpu_percent},
         {"cores", cores_of(enclave.cpu_mask)},
         {"memory_bytes", enclave.memory_bytes},
         {"reason", printable(enclave.reason.view())},
         {"last_end", printable(enclave.last_end.view())},
         {"program_measurement", to_hex(enclave.program_measurement)},
         {"model_measurement", to_hex(enclave.model_measurement)}});
  }
  out << document.dump(2) << "\n";
}

}  // namespace casemate::cli
