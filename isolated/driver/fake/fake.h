// SPDX-License-Identifier: Apache-2.0
#pragma once
// The fake device: small, perfect, repeatable, and as bad as it is told to be.
//
//   Owns     its memory, one block.
//   Threads  as driver.h; it starts none.
//   Trust    as driver.h.
//   Fails    make_fake() with kPlatform when there is no memory for it; then when it was told to.

#include <string>
#include <vector>

#include "isolated/driver/driver.h"

namespace casemate::driver {

struct FakeOptions {
  uint64_t memory_bytes = 64 << 20;
  uint32_t queues_max = 4;
  uint32_t commands_max = 64;
  std::vector<std::string> operators = {};  // that it takes; none: all
  // So many steps more for every command: a wait whose deadline has passed makes one.
  uint64_t slow_steps = 0;
  // By number of the command, counted from 1 since the device was made; 0: none.
  uint64_t hang_at = 0;   // is never done
  uint64_t fault_at = 0;  // breaks the device
  uint64_t lie_at = 0;    // has one bit wrong in what it makes
};

Result<std::unique_ptr<Device>> make_fake(const FakeOptions& options = {},
                                          Clock& clock = system_clock());

}  // namespace casemate::driver
