// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names: what people call the things of an operator's reply, and which thing a name means.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    names in a reply are the monitor's, and printable; numbers are checked.
//   Fails    find_target() with kNotFound, or with kInvalid where a name means two things.

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/abi/operator.h"

namespace casemate::launch {

std::string_view state_name(uint32_t state);
std::string_view standby_name(uint32_t standby);
std::string_view kind_name(uint32_t kind);  // of an enclave
// "digits/1"; a gateway has no version.
std::string label_of(const operating::EnclaveStatus& enclave);
const operating::PartitionStatus& partition_of(const operating::Reply& reply,
                                               const operating::EnclaveStatus& enclave);
std::vector<uint32_t> cores_of(uint64_t mask);
// "0-3,6"; empty for all cores.
std::string cores_text(uint64_t mask);
// "50%", "cores 0-3", "50% of cores 0-3"; "all" where nothing limits it.
std::string share_text(const operating::PartitionStatus& partition);

// A partition or an enclave.
struct Target {
  std::string name;
  std::optional<uint32_t> enclave;  // its id; none: it is a partition
};
// What NAME means: the partition of that name, or else the enclave, whose version may follow a
// slash.
Result<Target> find_target(const operating::Reply& reply, std::string_view name);

}  // namespace casemate::launch
