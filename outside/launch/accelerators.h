// SPDX-License-Identifier: Apache-2.0
#pragma once
// Accelerators: the devices beside the processor that partitions of this build can have, and what
// their enclaves need.
//
//   Owns     constants.
//   Threads  pure functions, but for files: those of the file system.
//   Trust    none is needed: whatever comes out is measured by the monitor.
//   Fails    kNotFound where a program is not built or its device's driver is not installed.

#include <optional>
#include <string_view>

#include "outside/launch/builder.h"

namespace casemate::launch {

struct Accelerator {
  std::string_view kind;  // "npu"
  DeviceKind device;
  std::string_view program;  // of its enclaves: "npu" for casemate-npu
  uint32_t count;            // of devices that can be named, from 0 on
  uint64_t memory_mib_min;   // of an enclave
  // A driver that is not ours comes with it, which compiles: files of this machine, a folder to
  // write to, and processes.
  bool driver = false;
  uint64_t scratch_mib_max = 0;
  uint32_t processes = 0;
};

// None for a kind that is no accelerator's. The processor is none.
const Accelerator* find_accelerator(std::string_view kind);

struct AcceleratorName {
  const Accelerator* accelerator;
  uint32_t number;
};
// "npu:0"; nothing for what is no name of one.
std::optional<AcceleratorName> accelerator_named(std::string_view name);
// "'npu:0' or 'opencl:0' to 'opencl:15'".
std::string accelerator_names();

// `program` at `target`, its libraries, and what the device's driver needs.
Result<std::vector<Placed>> placed_device_program(const Accelerator& accelerator,
                                                  const std::string& program,
                                                  const std::string& target);

}  // namespace casemate::launch
