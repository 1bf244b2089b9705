// SPDX-License-Identifier: Apache-2.0
#pragma once
// OpenClFiles: what a jail needs of this machine's OpenCL: the drivers that the loader would find,
// their libraries, and of PoCL, which compiles and links, its headers, its builtins and a linker.
//
//   Owns     paths.
//   Threads  pure functions of the file system.
//   Trust    none is needed: whatever is named here is copied and measured by the monitor.
//   Fails    kNotFound when there is no driver, or one names a library that is not there.

#include "outside/launch/builder.h"

namespace casemate::launch {

// Beside the program that owns the device, which brings the OpenCL loader. `folder` is where the
// drivers' names lie, /etc/OpenCL/vendors.
Result<std::vector<Placed>> opencl_device_files(const std::string& folder);
inline constexpr const char* kOpenclVendors = "/etc/OpenCL/vendors";

// A program that owns a device: `program` at `target`, its libraries, and all of the above.
Result<std::vector<Placed>> placed_opencl_program(const std::string& program,
                                                  const std::string& target);

}  // namespace casemate::launch
