// SPDX-License-Identifier: Apache-2.0
#pragma once
// Devices: the kinds that this build drives, and devices opened by name.
//
//   Owns     open devices.
//   Threads  one.
//   Trust    names are the user's own word.
//   Fails    kInvalid for what is no name, kUnsupported for a kind without a driver, kNotFound for
//            a number without a device.

#include <span>
#include <string_view>
#include <vector>

#include "isolated/driver/driver.h"

namespace casemate::driver {

struct OpenOptions {
  int threads = 1;                     // of the processor
  uint64_t memory_bytes = 1ull << 30;  // of each device that has no memory of its own
};

// A driver that this build has.
struct DeviceKind {
  std::string_view name;    // "cpu"
  std::string_view what;    // for people
  std::string_view shared;  // ditto: how several tenants have parts of it
  bool simulated = false;
  uint32_t count = 1;  // how many of its devices there are
  Result<std::unique_ptr<Device>> (*open)(uint32_t number, const OpenOptions& options) = nullptr;
};

std::span<const DeviceKind> device_kinds();
// One that not every program has, as OpenCL's: see opencl_kind(). Once for each, before any is
// opened, by a program with one thread.
void add_device_kind(const DeviceKind& kind);

struct OpenDevice {
  std::string name;  // "cpu:0"
  std::unique_ptr<Device> device;
  const DeviceKind* kind = nullptr;
};

// "cpu:0,fake:0": each of them, in this order. Fails for one that is there twice, too.
Result<std::vector<OpenDevice>> open_devices(std::string_view names,
                                             const OpenOptions& options = {});

// "cpu:0,npu:0,...": every device that this build drives on this machine.
std::string all_device_names();

}  // namespace casemate::driver
