// SPDX-License-Identifier: Apache-2.0
#pragma once
// The driver of the abacus, a made-up accelerator that adds and rectifies reals.

#include "isolated/driver/driver.h"

namespace casemate::driver {

Result<std::unique_ptr<Device>> make_abacus(uint64_t memory_bytes);

}  // namespace casemate::driver
