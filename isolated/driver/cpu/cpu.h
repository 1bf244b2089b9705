// SPDX-License-Identifier: Apache-2.0
#pragma once
// The processor as a device.
//
//   Owns     pages for buffers, and what it compiled.
//   Threads  as driver.h; one for each queue, and those of the engine's team.
//   Trust    as driver.h.
//   Fails    as driver.h.

#include "isolated/driver/driver.h"

namespace casemate::driver {

struct CpuOptions {
  int threads = 1;  // that kernels are compiled for and run with
  uint64_t memory_bytes = 4ull << 30;
  // False: kernels may not generate machine code, as in a process that has given that up. Such
  // kernels take fewer nodes.
  bool generates_code = true;
};

std::unique_ptr<Device> make_cpu(const CpuOptions& options = {}, Clock& clock = system_clock());

}  // namespace casemate::driver
