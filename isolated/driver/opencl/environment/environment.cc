// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/environment/environment.h"

#include <cstdlib>

#include "base/format.h"

namespace casemate::opencl {
namespace {

constexpr uint64_t kCompiler = 512ull << 20;

void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }

}  // namespace

uint64_t memory_for_buffers(uint64_t process_bytes) {
  return process_bytes > 2 * kCompiler ? process_bytes - kCompiler : process_bytes / 2;
}

void set_environment(const Environment& environment) {
  set("HWLOC_SYNTHETIC",
      formatted("[NUMANode(memory={})] core:{} pu:1", environment.memory_bytes, environment.cores));
  set("POCL_CACHE_DIR", environment.scratch + "/cache");
  set("TMPDIR", environment.scratch);
  // Where its linker is.
  set("PATH", "/usr/bin");
}

}  // namespace casemate::opencl
