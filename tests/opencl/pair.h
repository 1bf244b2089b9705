// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pair: an unmodified OpenCL program in one process, and the device's server in another, with a
// stream between them. What `casemate run` does, without the walls.
//
//   Owns     both processes and the stream.
//   Threads  none.
//   Trust    none needed.
//   Fails    run() with the reason; otherwise the program's own exit code.

#include <string>
#include <vector>

#include "base/result.h"

namespace casemate::opencl {

struct PairOptions {
  std::string driver;  // libcasemate_opencl.so
  uint32_t device = 0;
  uint64_t bulk_bytes = uint64_t{32} << 20;  // each way
  uint64_t memory_bytes = uint64_t{4} << 30;
  std::string output;  // a file that the program's standard output goes to; empty: ours
  // The server ends behind so many calls, as if it had been killed; 0: never.
  uint64_t calls_max = 0;
  bool lockstep = false;  // with libcasemate_opencl_lockstep.so: see lockstep/
};

// Runs `command` to its end; its exit code, or 128 and its signal.
Result<int> run_pair(const std::vector<std::string>& command, const PairOptions& options);

// The same without us, on the machine's own OpenCL.
Result<int> run_natively(const std::vector<std::string>& command, const std::string& output);

}  // namespace casemate::opencl
