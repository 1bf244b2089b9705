// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a device says of itself and what was tried on it, for a person who wants to know what there
// is.
//
//   Owns     values.
//   Threads  one.
//   Trust    needs none.
//   Fails    never: a device that fails is reported as one.

#include "base/clock.h"
#include "isolated/driver/devices/devices.h"

namespace casemate::driver {

struct DeviceReport {
  DeviceLimits limits;
  std::vector<ElementType> types;  // of which it takes an input, of some operator
  // Of bytes that were written to it just now, and came back or did not.
  Health health = Health::kWell;
  std::string reason;  // when it has failed
};

DeviceReport report_of(Device& device, Clock& clock = system_clock());

}  // namespace casemate::driver
