// SPDX-License-Identifier: Apache-2.0
#pragma once
// The simulated accelerator (npu/) as a device. A job that faults, or uses up its cycles, breaks
// it: it has failed until reset(), and an accelerator that misbehaves does so again afterwards.
//
//   Owns     the accelerator and its memory.
//   Threads  as driver.h; one for each queue. The accelerator has one job at a time.
//   Trust    as driver.h.
//   Fails    make_npu() as npu::Machine::make(); then as driver.h.

#include "isolated/driver/driver.h"
#include "isolated/driver/npu/machine.h"

namespace casemate::driver {

struct NpuOptions {
  uint64_t memory_bytes = 64 << 20;
  npu::Timing timing = {};
  npu::Misbehaviour misbehaviour = {};  // of every job
  // Of one layer, three seconds at 333 MHz: one that would take a quarter of it is not taken, since
  // how long it takes is an estimate.
  uint64_t cycles_max = 1 << 30;
};

Result<std::unique_ptr<Device>> make_npu(const NpuOptions& options = {},
                                         Clock& clock = system_clock());

}  // namespace casemate::driver
