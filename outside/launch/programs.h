// SPDX-License-Identifier: Apache-2.0
#pragma once
// Programs: where the programs of a system lie, and which loader and libraries each needs.
//
//   Owns     paths.
//   Threads  values.
//   Trust    none is needed: whatever is named here is copied and measured by the monitor.
//   Fails    kNotFound for a program that was not built, kPlatform when the loader cannot list its
//            libraries.

#include <string>
#include <vector>

#include "base/result.h"

namespace casemate::launch {

// The folder of the running program, in which its siblings lie.
Result<std::string> program_folder();

// kNotFound, with what to do, for what is not there or may not be run.
Status check_program(const std::string& program);

// `program`, its loader and all its libraries, as absolute paths, the program first.
Result<std::vector<std::string>> images_of(const std::string& program);
// The same of a library, which need not be executable.
Result<std::vector<std::string>> images_of_library(const std::string& library);

}  // namespace casemate::launch
