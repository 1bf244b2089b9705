// SPDX-License-Identifier: Apache-2.0
#pragma once
// A device of OpenCL 1.2 or newer, behind the driver interface. Products are CLBlast's, all else is
// done by kernels of our own. What runs is built when a piece is compiled: it runs there once, on
// zeros, so that a queue never waits for a compiler.
//
//   Owns     buffers of the device, programs, and queues that commands run in.
//   Threads  as driver.h; drivers of processors have threads of their own from the first question
//            on, so a process that has opened a device does not fork.
//   Trust    as driver.h. What a kernel could be told by data to read elsewhere, indices, it checks
//            itself, and refuses.
//   Fails    make_opencl() with kNotFound when there is no such device, kUnsupported for one that
//            cannot be shared as asked or lacks what kernels need; then as driver.h. What OpenCL
//            itself refuses while commands run breaks the device.

#include "isolated/driver/driver.h"

namespace casemate::driver {

struct OpenclOptions {
  uint32_t index = 0;  // of all devices, in the order of platforms and of their devices
  uint64_t memory_bytes = 1ull << 30;
  // A sub-device of so many of the compute units, one at least, which begins where so many end.
  uint32_t share_percent = 100;
  uint32_t share_begin_percent = 0;
};

// How many there are; none without a platform.
uint32_t opencl_device_count();

Result<std::unique_ptr<Device>> make_opencl(const OpenclOptions& options = {},
                                            Clock& clock = system_clock());

}  // namespace casemate::driver
