// SPDX-License-Identifier: Apache-2.0
// casemate-opencl-device: the enclave that has an OpenCL device and runs pieces of a model on it.
// Descriptor 3 is its control socket.
#include <cstdlib>

#include "base/log.h"
#include "isolated/driver/enclave/device_program.h"
#include "isolated/driver/opencl/device/device.h"
#include "isolated/driver/opencl/environment/environment.h"

int main() {
  using namespace casemate;
  using Room = driver::DeviceProgram::Room;
  log_as("opencl");
  const char* options = std::getenv("CASEMATE_OPTIONS");
  driver::DeviceProgram program(
      options != nullptr ? options : "",
      [](const Room& room) -> Result<std::unique_ptr<driver::Device>> {
        const uint64_t bytes = opencl::memory_for_buffers(room.enclave_bytes);
        opencl::set_environment({.memory_bytes = bytes, .cores = room.threads});
        return driver::make_opencl({.index = room.number, .memory_bytes = bytes});
      },
      // OpenCL starts threads, which a fork would lose.
      driver::DeviceProgram::When::kAfter);
  return enclave::run_template(program, {.foreign = true});
}
