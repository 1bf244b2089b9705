// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/device/kind.h"

#include <algorithm>

#include "isolated/driver/opencl/device/device.h"

namespace casemate::driver {
namespace {

Result<std::unique_ptr<Device>> open_opencl(uint32_t number, const OpenOptions& options) {
  return make_opencl({.index = number, .memory_bytes = options.memory_bytes});
}

}  // namespace

DeviceKind opencl_kind() {
  return {.name = "opencl",
          .what = "an OpenCL device",
          .shared = "compute units, memory",
          .count = std::max(opencl_device_count(), 1u),  // opening the one says why it is not there
          .open = open_opencl};
}

}  // namespace casemate::driver
