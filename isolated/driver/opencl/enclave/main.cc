// SPDX-License-Identifier: Apache-2.0
// casemate-opencl: the enclave that owns an OpenCL device. Descriptor 3 is its control socket.
#include <cstdlib>

#include "base/log.h"
#include "isolated/driver/opencl/enclave/device_program.h"

int main() {
  casemate::log_as("device");
  const char* options = std::getenv("CASEMATE_OPTIONS");
  casemate::opencl::DeviceProgram program(options != nullptr ? options : "");
  return casemate::enclave::run_template(program, {.foreign = true});
}
