// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/names.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/format.h"
#include "base/log.h"

namespace casemate::launch {
namespace {

// By EnclaveKind.
constexpr std::array<std::string_view, 5> kKinds = {"unknown", "gateway", "model", "program",
                                                    "device"};
constexpr std::array<std::string_view, 6> kStates = {"down",        "starting", "running",
                                                     "backing off", "given up", "refused"};
constexpr std::array<std::string_view, 3> kStandby = {"none", "loading", "ready"};

}  // namespace

std::string_view state_name(uint32_t state) {
  return state < kStates.size() ? kStates[state] : "unknown";
}

std::string_view standby_name(uint32_t standby) {
  return standby < kStandby.size() ? kStandby[standby] : "unknown";
}

std::string_view kind_name(uint32_t kind) {
  return kind < kKinds.size() ? kKinds[kind] : "unknown";
}

std::string label_of(const operating::EnclaveStatus& enclave) {
  const std::string name = printable(enclave.name.view());
  return enclave.model_version == 0 ? name : formatted("{}/{}", name, enclave.model_version);
}

const operating::PartitionStatus& partition_of(const operating::Reply& reply,
                                               const operating::EnclaveStatus& enclave) {
  return reply.partitions[std::min(enclave.partition, limits::kPartitions - 1)];
}

std::vector<uint32_t> cores_of(uint64_t mask) {
  std::vector<uint32_t> cores;
  for (uint32_t core = 0; core < limits::kCores; ++core) {
    if ((mask >> core & 1) != 0) cores.push_back(core);
  }
  return cores;
}

std::string cores_text(uint64_t mask) {
  std::string text;
  for (uint32_t first = 0; first < limits::kCores; ++first) {
    if ((mask >> first & 1) == 0) continue;
    uint32_t last = first;
    while (last + 1 < limits::kCores && (mask >> (last + 1) & 1) != 0) ++last;
    if (!text.empty()) text += ',';
    text += last == first ? formatted("{}", first) : formatted("{}-{}", first, last);
    first = last;
  }
  return text;
}

std::string share_text(const operating::PartitionStatus& partition) {
  const std::string cores =
      partition.cpu_mask == 0 ? "" : "cores " + cores_text(partition.cpu_mask);
  if (partition.cpu_percent == 0) return cores.empty() ? "all" : cores;
  const std::string percent = formatted("{}%", partition.cpu_percent);
  return cores.empty() ? percent : formatted("{} of {}", percent, cores);
}

Result<Target> find_target(const operating::Reply& reply, std::string_view name) {
  for (const auto& partition : std::span(reply.partitions).first(reply.partition_count)) {
    if (partition.name.view() == name) return Target{std::string(name), std::nullopt};
  }
  std::optional<Target> found;
  for (const auto& enclave : std::span(reply.enclaves).first(reply.enclave_count)) {
    if (enclave.name.view() != name && label_of(enclave) != name) continue;
    if (found) {
      return Error{Code::kInvalid, formatted("'{}' has several versions: say which, as in {}", name,
                                             label_of(enclave))};
    }
    found = Target{label_of(enclave), enclave.id};
  }
  if (found) return *std::move(found);
  return Error{
      Code::kNotFound,
      formatted("there is no partition or enclave '{}'; casemate status lists them", name)};
}

}  // namespace casemate::launch
