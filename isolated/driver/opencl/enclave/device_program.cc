// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/enclave/device_program.h"

#include "isolated/driver/opencl/environment/environment.h"
#include "isolated/driver/opencl/server/serve.h"
#include "isolated/driver/option.h"

namespace casemate::opencl {
Status DeviceProgram::start(const control::Message& manifest) {
  index_ = TRY(driver::device_number(options_));
  set_environment(
      {.memory_bytes = memory_for_buffers(manifest.memory_bytes), .cores = manifest.threads});
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
    serve(callee, *chosen, {.memory_bytes = memory_for_buffers(manifest.memory_bytes)},
          [] { return true; });
    return {};
  }
}

}  // namespace casemate::opencl
