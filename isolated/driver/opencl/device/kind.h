// SPDX-License-Identifier: Apache-2.0
#pragma once
// opencl_kind(): OpenCL's devices in the table of those that are opened by name: all of the
// loader's, in the order of its platforms and of their devices. For programs that may read its
// driver's files and start its linker.

#include "isolated/driver/devices/devices.h"

namespace casemate::driver {

DeviceKind opencl_kind();

}  // namespace casemate::driver
