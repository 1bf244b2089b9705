// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/enclave/device_program.h"

#include <cstdlib>

#include "base/format.h"
#include "isolated/driver/opencl/server/serve.h"
#include "isolated/driver/option.h"

namespace casemate::opencl {
namespace {

// What is left of the enclave's memory for OpenCL itself and its compiler.
constexpr uint64_t kCompiler = 512ull << 20;

uint64_t memory_for_buffers(uint64_t enclave) {
  return enclave > 2 * kCompiler ? enclave - kCompiler : enclave / 2;
}

// The device's library looks at /proc and /sys, which are not here, for what it may use; and for
// its linker, and for a place for what it compiles.
void describe_machine(const control::Message& manifest) {
  const auto topology = formatted("[NUMANode(memory={})] core:{} pu:1",
                                  memory_for_buffers(manifest.memory_bytes), manifest.threads);
  ::setenv("HWLOC_SYNTHETIC", topology.c_str(), 1);
  ::setenv("POCL_CACHE_DIR", "/tmp/cache", 1);
  ::setenv("PATH", "/usr/bin", 1);
}

}  // namespace

Status DeviceProgram::start(const control::Message& manifest) {
  index_ = TRY(driver::device_number(options_));
  describe_machine(manifest);
  return {};
}

Status DeviceProgram::run(control::Socket control, const control::Message& manifest) {
  // Not in the template: OpenCL starts threads, which a fork would lose.
  const auto chosen = device(index_);
  if (!chosen) return chosen.error();
  while (true) {
    auto received = TRY(control.receive(-1));
    if (received.type() == control::Type::kStop) return {};
    if (received.type() != control::Type::kConnect) continue;
    auto callee = TRY(srpc::Callee::make(TRY(control::stream_end_of(received))));
    return serve(callee, *chosen, {.memory_bytes = memory_for_buffers(manifest.memory_bytes)},
                 [] { return true; });
  }
}

}  // namespace casemate::opencl
