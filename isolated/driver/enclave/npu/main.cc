// SPDX-License-Identifier: Apache-2.0
// casemate-npu: the enclave that has the simulated accelerator. Descriptor 3 is its control socket.
#include <cstdlib>

#include "base/log.h"
#include "isolated/driver/enclave/device_program.h"
#include "isolated/driver/npu_device/npu_device.h"

int main() {
  using namespace casemate;
  using Room = driver::DeviceProgram::Room;
  log_as("npu");
  const char* options = std::getenv("CASEMATE_OPTIONS");
  driver::DeviceProgram program(
      options != nullptr ? options : "",
      [](const Room& room) -> Result<std::unique_ptr<driver::Device>> {
        if (room.number != 0)
          return Error{Code::kNotFound, "there is one simulated accelerator, npu:0"};
        return driver::make_npu(
            {.memory_bytes = room.enclave_bytes / driver::DeviceProgram::kPart});
      },
      driver::DeviceProgram::When::kBefore);
  return enclave::run_template(program, {lockdown::Filter::kModel, 1});
}
