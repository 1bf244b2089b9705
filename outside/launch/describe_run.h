// SPDX-License-Identifier: Apache-2.0
#pragma once
// describe_run(): an unmodified program and the accelerator that it wants become a system of two
// partitions and one stream.
//
//   program {casemate-program, PROGRAM, its libraries, our OpenCL driver} --stream--> opencl:N
//
//   Owns     values.
//   Threads  pure functions of the file system.
//   Trust    none is needed: the monitor checks and measures what comes out.
//   Fails    with what is missing or wrong, and what to do.

#include <memory>
#include <string>
#include <vector>

#include "outside/launch/builder.h"

namespace casemate::launch {

struct RunSettings {
  std::string program;  // as the user names it: a path, or a name to be found in PATH
  std::string device = "opencl:0";
  std::vector<Placed> files;   // more that the program opens
  uint32_t memory_mib = 4096;  // of the device's partition, with what is on the device
  uint32_t program_memory_mib = 4096;
  uint32_t stream_mib = 64;     // of bulk memory in each direction
  uint32_t scratch_mib = 256;   // of the program's /tmp
  uint32_t threads = 0;         // of a device that is a processor; 0: one per core
  uint32_t hang_seconds = 600;  // that the device may work without ending a command
  bool debug = false;
};

struct DescribedRun {
  std::unique_ptr<SystemDescription> description;
  std::string path;         // of the program, in its root
  std::string search_path;  // of its libraries, as LD_LIBRARY_PATH wants them
};

Result<DescribedRun> describe_run(const RunSettings& settings, const std::string& programs);

}  // namespace casemate::launch
