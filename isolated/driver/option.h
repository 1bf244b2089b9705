// SPDX-License-Identifier: Apache-2.0
#pragma once
// The options of a program that has a device, as whoever describes the system writes them:
// "device=N".
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    a manifest's author has written them.
//   Fails    kInvalid with the options.

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace casemate::driver {

// N, in decimal digits and nothing around them.
Result<uint32_t> device_number(std::string_view options);

}  // namespace casemate::driver
