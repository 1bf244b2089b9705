// SPDX-License-Identifier: Apache-2.0
#pragma once
// Environment: what OpenCL's drivers are told of the machine that they cannot look at: a jail has
// no /proc and no /sys, and PoCL takes all that it finds in one.
//
//   Owns     variables of this process.
//   Threads  one, before anything asks OpenCL.
//   Trust    none is needed.
//   Fails    never.

#include <cstdint>
#include <string>

namespace casemate::opencl {

struct Environment {
  uint64_t memory_bytes = 0;  // that buffers may have
  uint32_t cores = 1;
  std::string scratch = "/tmp";  // a folder for what is compiled, which may be written
};

// Of a process with so much memory what is left for buffers, beside OpenCL itself and its compiler.
uint64_t memory_for_buffers(uint64_t process_bytes);

void set_environment(const Environment& environment);

}  // namespace casemate::opencl
